//! Joins printed tables, each with its title.

use crate::policy::matrix::Matrix;

/// Prints each table with `print`, below its title where it has one, and joins them with an empty line between.
pub(super) fn join_tables(
    tables: &[Matrix],
    title: impl Fn(&str) -> String,
    print: impl Fn(&Matrix) -> String,
) -> String {
    let printed = tables.iter().map(|table| {
        let title = table.title.as_deref().map(&title).unwrap_or_default();
        format!("{title}{}", print(table))
    });
    printed.collect::<Vec<_>>().join("\n")
}
