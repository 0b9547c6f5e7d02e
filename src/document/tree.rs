//! Strict parsing of a YAML text into a tree; only this file and its folder use the YAML crate.

mod lenient;

use serde_yaml::granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span as ParserSpan};

use super::finding::{Finding, FindingCode, Findings};
use super::node::{Node, Value};
use super::sources::{Sources, Span};

pub use lenient::parse_lenient;

/// The greatest depth of nested values: far above any real policy, far below what the stack allows.
const MAX_DEPTH: usize = 32;

/// Parses source number `file`; `None` if the text is not YAML that this program supports.
///
/// All problems become findings: anchors, aliases, tags, merge keys, duplicate keys, several documents, directives and
/// tabs.
pub fn parse(sources: &Sources, file: u32, findings: &mut Findings) -> Option<Node> {
    let source = sources.source(file)?;
    if u32::try_from(source.text.len()).is_err() {
        findings.push(Finding::error(FindingCode::YamlSyntax, None, "the file is larger than 4 GiB"));
        return None;
    }
    let options = serde_yaml::granit_parser::options! { disallow_directives: true, emit_unresolved_aliases: true };
    let parser = Parser::new_from_str_with_options(&source.text, options);
    let mut builder = TreeBuilder { file, text: &source.text, parser, findings, failed: false };
    let root = builder.read_document();
    let failed = builder.failed;
    root.filter(|_| !failed)
}

struct TreeBuilder<'t, 'f> {
    file: u32,
    text: &'t str,
    parser: Parser<'t, serde_yaml::granit_parser::StrInput<'t>>,
    findings: &'f mut Findings,
    failed: bool,
}

impl<'t> TreeBuilder<'t, '_> {
    fn read_document(&mut self) -> Option<Node> {
        let mut root = None;
        loop {
            let (event, parsed) = self.next_event()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if root.is_some() => {
                    let span = self.span(parsed);
                    let finding = Finding::error(FindingCode::YamlSyntax, Some(span), "a second document begins here");
                    self.refuse(finding.help("put it into a file of its own, or join the two and take the `---` out"));
                    return None;
                }
                Event::DocumentStart(..) => {}
                Event::StreamEnd => break,
                other => root = Some(self.read_node(other, parsed, 0)?),
            }
        }
        if root.is_none() {
            let span = Span { file: self.file, start: 0, end: 0 };
            self.refuse(Finding::error(FindingCode::YamlSyntax, Some(span), "the file is empty"));
        }
        root
    }

    fn read_node(&mut self, event: Event<'t>, parsed: ParserSpan, depth: usize) -> Option<Node> {
        let span = self.span(parsed);
        if depth > MAX_DEPTH {
            self.refuse(Finding::error(FindingCode::YamlSyntax, Some(span), "values are nested too deeply"));
            return None;
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.check_properties(span, parsed, anchor, tag.map(|tag| tag.original()));
                let plain = matches!(style, ScalarStyle::Plain);
                // The parser reports a missing value as `~`; only its empty span distinguishes it from a written one.
                let text = if plain && span.start == span.end { "".into() } else { text.into() };
                Some(Node { span, value: Value::Scalar { text, plain } })
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_properties(span, parsed, anchor, tag.map(|tag| tag.original()));
                let mut items = Vec::new();
                loop {
                    let (event, parsed) = self.next_event()?;
                    if matches!(event, Event::SequenceEnd) {
                        let span = Span { end: self.span(parsed).end, ..span };
                        return Some(Node { span, value: Value::List(items) });
                    }
                    items.push(self.read_node(event, parsed, depth + 1)?);
                }
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_properties(span, parsed, anchor, tag.map(|tag| tag.original()));
                self.read_mapping(span, depth)
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                let input = self.text.get(self.byte_range(span)).unwrap_or_default();
                let finding = Finding::error(FindingCode::YamlAnchor, Some(span), format!("`{input}` is a YAML alias"));
                self.refuse(finding.help("aliases are not read here; a text that begins with `*` needs quotes"));
                Some(Node { span, value: Value::Scalar { text: input.into(), plain: false } })
            }
            _ => {
                self.refuse(Finding::error(FindingCode::YamlSyntax, Some(span), "a value is missing here"));
                None
            }
        }
    }

    fn read_mapping(&mut self, span: Span, depth: usize) -> Option<Node> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut first_spans = std::collections::HashMap::<Box<str>, Span>::new();
        loop {
            let (event, parsed) = self.next_event()?;
            if matches!(event, Event::MappingEnd) {
                let span = Span { end: self.span(parsed).end.max(span.end), ..span };
                return Some(Node { span, value: Value::Map(entries) });
            }
            let key = self.read_node(event, parsed, depth + 1)?;
            let (event, parsed) = self.next_event()?;
            let value = self.read_node(event, parsed, depth + 1)?;
            let Value::Scalar { text, plain } = &key.value else {
                let finding = Finding::error(
                    FindingCode::YamlSyntax,
                    Some(key.span),
                    format!("{} in place of a name", key.value.type_name()),
                );
                self.refuse(finding.help("a path with `{` in a one-line map needs quotes"));
                continue;
            };
            if *plain && &**text == "<<" {
                self.refuse(
                    Finding::error(FindingCode::YamlAnchor, Some(key.span), "`<<` is a YAML merge key")
                        .help("merge keys are not read here; write the entries out"),
                );
                continue;
            }
            if let Some(first) = first_spans.get(text) {
                let finding = Finding::error(
                    FindingCode::DuplicateKey,
                    Some(key.span),
                    format!("`{text}` occurs twice in this map"),
                );
                self.refuse(finding.also(*first, "first here").help("join the two, or give one of them another name"));
                continue;
            }
            first_spans.insert(text.clone(), key.span);
            entries.push((key, value));
        }
    }

    fn check_properties(&mut self, span: Span, parsed: ParserSpan, anchor: usize, tag: Option<String>) {
        if anchor != 0 {
            let finding = Finding::error(FindingCode::YamlAnchor, Some(span), "this value has a YAML anchor (`&…`)");
            self.refuse(finding.help("anchors are not read here; a text that begins with `&` needs quotes"));
        }
        if let Some(tag) = tag {
            let start = parsed.tag_start.map_or(span.start, |mark| self.offset(mark)).min(span.start);
            let span = Span { start, ..span };
            let finding =
                Finding::error(FindingCode::YamlTag, Some(span), format!("`{tag}` is a YAML tag and would be ignored"));
            self.refuse(finding.help("a text that begins with `!` needs quotes"));
        }
    }

    fn next_event(&mut self) -> Option<(Event<'t>, ParserSpan)> {
        match self.parser.next_event() {
            Some(Ok(event)) => Some(event),
            Some(Err(error)) => {
                self.syntax_error(&error);
                None
            }
            None => None,
        }
    }

    fn syntax_error(&mut self, error: &ScanError) {
        let start = self.offset(*error.marker());
        let line = self.line_around(start).to_owned();
        let span = Span { file: self.file, start, end: start.saturating_add(1) };
        let mut finding =
            Finding::error(FindingCode::YamlSyntax, Some(span), format!("this is not YAML: {}", error.info()));
        if line.contains('\t') {
            finding = finding.help("the line contains a tab: YAML is indented with spaces");
        } else if line.contains('{') && line.contains('/') {
            finding = finding.help("a path with `{` needs quotes inside a one-line map or list");
        } else if self.lines_before(start).any(is_list_cut_by_comment) {
            finding = finding.help("a `#` after a space begins a comment: a name with `#` needs quotes");
        } else if line.matches(": ").count() > 1 {
            finding = finding.help("a name that contains `: ` needs quotes");
        }
        self.refuse(finding);
    }

    /// The last three lines up to an offset, including the line of the offset.
    fn lines_before(&self, start: u32) -> impl Iterator<Item = &str> {
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(self.text.len());
        self.text.get(..start).unwrap_or_default().lines().rev().take(3)
    }

    fn line_around(&self, start: u32) -> &str {
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(self.text.len());
        let begin = self.text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let rest = self.text.get(begin..).unwrap_or_default();
        rest.lines().next().unwrap_or_default()
    }

    fn refuse(&mut self, finding: Finding) {
        self.failed = true;
        self.findings.push(finding);
    }

    fn span(&self, parsed: ParserSpan) -> Span {
        Span { file: self.file, start: self.offset(parsed.start), end: self.offset(parsed.end) }
    }

    fn byte_range(&self, span: Span) -> std::ops::Range<usize> {
        let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX).min(self.text.len());
        at(span.start)..at(span.end)
    }

    fn offset(&self, mark: Marker) -> u32 {
        mark.byte_offset().and_then(|offset| u32::try_from(offset).ok()).unwrap_or(u32::MAX)
    }
}

/// Whether a comment begins inside a one-line list or map.
fn is_list_cut_by_comment(line: &str) -> bool {
    let Some((before, _)) = line.split_once(" #") else { return false };
    let count = |these: [char; 2]| before.chars().filter(|c| these.contains(c)).count();
    count(['[', '{']) > count([']', '}'])
}

#[cfg(test)]
mod tests;
