//! Tests of the sets of rows.

use super::*;

#[test]
fn a_list_of_rows_gives_the_bits_of_each_word() {
    let rows = [0, 3, 63, 64, 130].map(RowId);
    assert_eq!(row_word(&rows, 0), 1 | 1 << 3 | 1 << 63);
    assert_eq!(row_word(&rows, 1), 1);
    assert_eq!(row_word(&rows, 2), 1 << 2);
    assert_eq!(row_word(&rows, 3), 0);
    assert_eq!(row_word(&[], 0), 0);
}

#[test]
fn a_bound_matches_its_values_and_a_scope_that_the_route_goes_across() {
    let bounds: ScopeBounds = Box::new([(0, Box::new(["t1".into()])), (1, Box::new(["p7".into(), "p8".into()]))]);
    let mut scope: Scope<'_> = Default::default();
    scope[0] = Some("t1".into());
    assert!(!bounds_match(&bounds, &scope, 0), "the request names no second scope");
    assert!(bounds_match(&bounds, &scope, 0b10));
    scope[1] = Some("p8".into());
    assert!(bounds_match(&bounds, &scope, 0));
    scope[1] = Some("p9".into());
    assert!(!bounds_match(&bounds, &scope, 0b10), "a present value must match");
    assert!(bounds_match(&ScopeBounds::default(), &scope, 0));
}
