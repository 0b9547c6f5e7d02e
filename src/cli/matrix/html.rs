//! Prints tables as one HTML page without external resources and scripts.

use crate::policy::PolicyVersion;
use crate::policy::matrix::Matrix;

/// The HTML page.
pub(super) fn print_page(version: &PolicyVersion, tables: &[Matrix], notes: &[String]) -> String {
    let notes: String = notes.iter().map(|note| format!("<p>{}</p>\n", escape(note))).collect();
    let name = escape(&version.name);
    let tables: String = tables.iter().map(table).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{name}: permissions</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{name}</h1>\n\
         <p>Version {hash}. C create, R read, U update, D delete, M merge.</p>\n{notes}{tables}</body>\n</html>\n",
        hash = escape(&version.hash),
    )
}

const STYLE: &str = "\
:root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif; }
body { margin: 1.5rem; }
table { border-collapse: separate; border-spacing: 0; margin-bottom: 2rem; }
caption { text-align: left; font-size: 1.2em; font-weight: 600; padding: .5rem 0; }
th, td { border: 0 solid #8886; border-width: 0 1px 1px 0; padding: .25rem .5rem; text-align: left; vertical-align: bottom; }
td { font-family: ui-monospace, monospace; vertical-align: top; }
thead th { position: sticky; top: 0; background: Canvas; border-bottom-width: 2px; max-width: 9em; }
tbody th { position: sticky; left: 0; background: Canvas; font-weight: normal; min-width: 14em; }
tbody tr:hover > * { background: color-mix(in srgb, Canvas 90%, Highlight); }
@media print {
  @page { size: A3 landscape; margin: 10mm; }
  :root { font-size: 8px; }
  body { margin: 0; }
  thead { display: table-header-group; }
  thead th, tbody th { position: static; }
  tr { break-inside: avoid; }
}
";

fn table(table: &Matrix) -> String {
    let caption = table.title.as_deref().map(|title| format!("<caption>{}</caption>\n", escape(title)));
    let columns: String =
        table.resources.iter().map(|name| format!("<th scope=\"col\">{}</th>", escape(name))).collect();
    let rows: String = table.rows.iter().map(|(name, fields)| row(name, fields)).collect();
    format!(
        "<table>\n{}<thead>\n<tr><th scope=\"col\">{}</th>{columns}</tr>\n</thead>\n<tbody>\n{rows}</tbody>\n</table>\n",
        caption.unwrap_or_default(),
        table.heading
    )
}

fn row(name: &str, fields: &[String]) -> String {
    let fields: String = fields.iter().map(|field| format!("<td>{}</td>", escape(field))).collect();
    format!("<tr><th scope=\"row\">{}</th>{fields}</tr>\n", escape(name))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
