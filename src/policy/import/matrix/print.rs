//! Prints tables, rows and roles as a part of a policy.

use crate::policy::import::yaml::{format_comment, format_scalar};
use crate::vocabulary::Operation;

use super::cell::CellContent;
use super::parts::{PolicyParts, RoleDraft, RowDraft};

/// The widest name that still aligns the column of cells.
const MAX_ALIGNED_WIDTH: usize = 40;

pub(super) fn print_part(files: &[&str], name: Option<&str>, parts: &PolicyParts) -> String {
    let files = files.iter().map(|file| format_comment(file)).collect::<Vec<_>>().join(", ");
    let mut out = format!("# Imported from {files}: columns, rows and roles, as far as the tables show them.\n");
    match name {
        Some(name) => out.push_str(&format!("\nversion: 1\nname: {}\n", format_scalar(name))),
        None => out.push_str(
            "# A part of a policy: it belongs beside a file with `version`, `name` and `routes`, or in it.\n",
        ),
    }
    out.push_str(&print_tables(parts));
    if !parts.rows.is_empty() {
        out.push_str("\npermissions:\n");
        let names =
            parts.rows.iter().flat_map(|row| &row.cells).map(|(name, _)| format_scalar(name).chars().count() + 1);
        let width = names.filter(|width| *width <= MAX_ALIGNED_WIDTH).max().unwrap_or(0);
        parts.rows.iter().for_each(|row| out.push_str(&self::print_row(row, width)));
    }
    if !parts.roles.is_empty() {
        out.push_str("\nroles:\n");
        parts.roles.iter().for_each(|role| out.push_str(&self::print_role(role)));
    }
    out + &print_gate(&parts.rows)
}

fn print_tables(parts: &PolicyParts) -> String {
    let mut out = String::new();
    for table in parts.tables.iter().filter(|table| !table.resources.is_empty()) {
        let indent = match &table.title {
            Some(title) => {
                out.push_str(&format!("  {}:\n", format_scalar(title)));
                "    "
            }
            None => "  ",
        };
        table.resources.iter().for_each(|name| out.push_str(&format!("{indent}- {}\n", format_scalar(name))));
    }
    if out.is_empty() { out } else { format!("\nresources:\n{out}") }
}

fn print_row(row: &RowDraft, width: usize) -> String {
    if row.cells.is_empty() {
        return format!("  {}: {{}}\n", format_scalar(&row.name));
    }
    let mut out = format!("  {}:\n", format_scalar(&row.name));
    for (resource, content) in &row.cells {
        let approval = if content.approval { "   # requires approval" } else { "" };
        let name = format!("{}:", format_scalar(resource));
        out.push_str(&format!("    {name:<width$} {}{approval}\n", print_operations(content)));
    }
    out
}

/// Prints operations as `CRU`, `check-in`, or `[CRU, check-in]`.
fn print_operations(content: &CellContent) -> String {
    let letters: String = content.operations.iter().filter_map(Operation::letter).collect();
    let words = content.operations.iter().filter(|operation| operation.letter().is_none());
    let mut all: Vec<String> = words.map(|word| format_scalar(word.name())).collect();
    if !letters.is_empty() {
        all.insert(0, letters);
    }
    match all.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

fn print_role(role: &RoleDraft) -> String {
    let mut out = format!("  {}:\n", format_scalar(&role.name));
    let lists = [
        ("includes", role.includes.iter().map(String::as_str).collect::<Vec<_>>()),
        ("permissions", role.permissions.iter().map(|(name, _)| name.as_str()).collect()),
    ];
    for (key, names) in lists.iter().filter(|(_, names)| !names.is_empty()) {
        out.push_str(&format!("    {key}:\n"));
        names.iter().for_each(|name| out.push_str(&format!("      - {}\n", format_scalar(name))));
    }
    out
}

/// Prints an example of a gate for the cells that require approval, as a comment.
fn print_gate(rows: &[RowDraft]) -> String {
    let marked = |row: &&RowDraft| row.cells.iter().any(|(_, content)| content.approval);
    let except: Vec<String> = rows.iter().filter(marked).map(|row| format_scalar(&row.name)).collect();
    if except.is_empty() {
        return String::new();
    }
    let cells = rows.iter().flat_map(|row| &row.cells).filter(|(_, content)| content.approval);
    let asks = cells.flat_map(|(resource, content)| {
        let writes = content.operations.iter().filter(|operation| **operation != Operation::Read);
        writes.map(move |operation| format!("#       - {}\n", format_scalar(&format!("{operation} {resource}"))))
    });
    let except: String = except.iter().map(|name| format!("#       - {name}\n")).collect();
    format!(
        "\n# What requires approval is closed by a gate. For example, until an app is approved it holds these rows only:\n\
         #\n# gates:\n#   approval:\n#     by: approval\n#     except:\n{except}#     keys: [client]\n\
         #     asked-by:\n{}#     approvers: [a row that its approvers hold]\n",
        asks.collect::<String>()
    )
}
