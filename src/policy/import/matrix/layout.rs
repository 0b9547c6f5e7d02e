//! SheetLayout: the meaning of a sheet's lines, detected from its header and first cells.

use crate::document::{Finding, FindingCode, Findings};
use crate::vocabulary::name::folded;

use super::cell;
use super::sheet::{Sheet, SheetField};

/// SheetLayout: the index of the header, and the meaning of each column.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SheetLayout {
    /// Each row is a permission and each column a resource.
    Wide { header: usize },
    /// Each line holds a permission's operations on a resource.
    Cells { header: usize, category: Option<usize>, permission: usize, resource: usize, operations: usize },
    /// Each line holds a permission of a role; `source` marks inherited permissions.
    Roles { header: usize, role: usize, permission: usize, source: Option<usize> },
}

const PERMISSION: [&str; 7] = ["permission", "permissions", "permission name", "flag", "right", "privilege", "row"];
const RESOURCE: [&str; 4] = ["resource", "resources", "object", "entity"];
const OPERATIONS: [&str; 7] = ["ops", "operations", "operation", "letters", "crud", "access", "actions"];
const CATEGORY: [&str; 4] = ["category", "section", "area", "module"];
const ROLE: [&str; 2] = ["role", "role name"];

/// Detects the layout of `sheet`; reports lines above the header, and a sheet without a layout.
pub(super) fn detect_layout(sheet: &Sheet, findings: &mut Findings) -> Option<SheetLayout> {
    let filled = |line: &Vec<SheetField>| line.iter().filter(|field| !field.text.is_empty()).count();
    let header = sheet.lines.iter().position(|line| filled(line) > 1);
    let first = sheet.lines.first()?.first()?;
    let Some((header, heads)) = header.and_then(|at| Some((at, sheet.lines.get(at)?))) else {
        let finding = Finding::error(FindingCode::BadValue, Some(first.span), "no line of this table has two columns");
        findings.push(finding.help("save it with commas, semicolons or tabs between the columns"));
        return None;
    };
    if header > 0 {
        findings.push(Finding::note(
            FindingCode::UnknownKey,
            Some(first.span),
            "the lines above the header are not read",
        ));
    }
    let names: Vec<String> = heads.iter().map(|field| folded(&field.text)).collect();
    let find = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
    if find(&["method", "verb"]).is_some() && find(&["path", "url", "route"]).is_some() {
        let span = heads.first().map(|field| field.span);
        let finding = Finding::error(FindingCode::BadValue, span, "this table lists requests, not permissions");
        findings.push(finding.help("write its lines under `routes:`, or import the API's OpenAPI document"));
        return None;
    }
    let permission = find(&PERMISSION);
    if let (Some(permission), Some(resource), Some(operations)) = (permission, find(&RESOURCE), find(&OPERATIONS)) {
        return Some(SheetLayout::Cells { header, category: find(&CATEGORY), permission, resource, operations });
    }
    if let (Some(permission), Some(role)) = (permission, find(&ROLE))
        && permission.max(role) == 1
        && is_name_column(sheet, header, 1)
    {
        let source = (2..names.len()).find(|at| is_inheritance_column(sheet, header, *at));
        return Some(SheetLayout::Roles { header, role, permission, source });
    }
    Some(SheetLayout::Wide { header })
}

impl SheetLayout {
    /// The index of the header among the sheet's lines.
    pub(super) fn header(&self) -> usize {
        match self {
            Self::Wide { header } | Self::Cells { header, .. } | Self::Roles { header, .. } => *header,
        }
    }
}

/// Whether a column holds names: at least one value is not a valid cell of a matrix.
fn is_name_column(sheet: &Sheet, header: usize, column: usize) -> bool {
    column_values(sheet, header, column).any(|text| match cell::read(text) {
        Ok(content) => content.operations.iter().any(|operation| operation.letter().is_none()),
        Err(_) => true,
    })
}

fn is_inheritance_column(sheet: &Sheet, header: usize, column: usize) -> bool {
    let mut all = column_values(sheet, header, column).peekable();
    all.peek().is_some() && all.all(|text| text == "own" || text.starts_with("inherited:"))
}

fn column_values(sheet: &Sheet, header: usize, column: usize) -> impl Iterator<Item = &str> {
    let fields = sheet.lines.iter().skip(header + 1).filter_map(move |line| line.get(column));
    fields.map(|field| field.text.as_str()).filter(|text| !text.is_empty())
}
