//! Lenient parsing of foreign YAML or JSON: anchors are resolved and tags ignored, within limits.

use std::collections::HashMap;

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span as ParserSpan, StrInput};

use crate::document::finding::{Finding, FindingCode, Findings};
use crate::document::node::{Node, Value};
use crate::document::sources::{Sources, Span};

/// The greatest depth of nested values with aliases resolved: above any real document, far below the stack's limit.
const MAX_DEPTH: usize = 128;

/// The greatest number of values in a document with aliases resolved.
const MAX_VALUES: usize = 4_000_000;

/// Parses source number `file`, a YAML or JSON document that was written for other programs.
///
/// [`parse`](super::parse) refuses ambiguous YAML in files that grant access; this function reads it as most programs
/// do. The last of duplicate keys counts, with a note. The first of several documents counts.
pub fn parse_lenient(sources: &Sources, file: u32, findings: &mut Findings) -> Option<Node> {
    let source = sources.source(file)?;
    let options = serde_yaml::granit_parser::options! { emit_unresolved_aliases: true };
    let parser = Parser::new_from_str_with_options(&source.text, options);
    LenientTreeBuilder { file, parser, anchors: HashMap::new(), values: 0, findings }.read_document()
}

struct LenientTreeBuilder<'t, 'f> {
    file: u32,
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    values: usize,
    findings: &'f mut Findings,
}

impl<'t> LenientTreeBuilder<'t, '_> {
    fn read_document(&mut self) -> Option<Node> {
        loop {
            let (event, parsed) = self.next_event()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) => {}
                Event::StreamEnd | Event::DocumentEnd => {
                    return self.refuse(Span { file: self.file, start: 0, end: 0 }, "the file is empty");
                }
                other => return self.read_node(other, parsed, 0),
            }
        }
    }

    fn read_node(&mut self, event: Event<'t>, parsed: ParserSpan, depth: usize) -> Option<Node> {
        let span = self.span(parsed);
        self.count_values(1, depth, span)?;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = matches!(style, ScalarStyle::Plain);
                let text = if plain && span.start == span.end { "".into() } else { text.into() };
                (Node { span, value: Value::Scalar { text, plain } }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.read_sequence(span, depth)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.read_mapping(span, depth)?, anchor),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return self.refuse(span, "this alias is inside its own anchor");
                };
                let (values, height) = measure(node);
                let copy = node.clone();
                self.count_values(values, depth + height, span)?;
                return Some(copy);
            }
            _ => return self.refuse(span, "this alias has no anchor"),
        };
        if anchor != 0 {
            let (values, _) = measure(&node);
            self.count_values(values, depth, span)?;
            self.anchors.insert(anchor, node.clone());
        }
        Some(node)
    }

    fn read_sequence(&mut self, span: Span, depth: usize) -> Option<Node> {
        let mut items = Vec::new();
        loop {
            let (event, parsed) = self.next_event()?;
            if matches!(event, Event::SequenceEnd) {
                return Some(Node { span, value: Value::List(items) });
            }
            items.push(self.read_node(event, parsed, depth + 1)?);
        }
    }

    fn read_mapping(&mut self, span: Span, depth: usize) -> Option<Node> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut known: HashMap<Box<str>, usize> = HashMap::new();
        let mut merged = Vec::new();
        loop {
            let (event, parsed) = self.next_event()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key = self.read_node(event, parsed, depth + 1)?;
            let (event, parsed) = self.next_event()?;
            let value = self.read_node(event, parsed, depth + 1)?;
            // A key that is not a scalar cannot be one of the keys that callers read.
            let Value::Scalar { text, plain } = &key.value else { continue };
            if *plain && &**text == "<<" {
                merged.push(value);
                continue;
            }
            match known.get(text).and_then(|at| entries.get_mut(*at)) {
                Some(entry) => {
                    let message = format!("`{text}` occurs twice in this map; the last value counts");
                    let finding = Finding::note(FindingCode::DuplicateKey, Some(key.span), message);
                    self.findings.push(finding.also(entry.0.span, "first here"));
                    *entry = (key, value);
                }
                None => {
                    known.insert(text.clone(), entries.len());
                    entries.push((key, value));
                }
            }
        }
        for (key, value) in merged.into_iter().flat_map(merged_entries) {
            let Value::Scalar { text, .. } = &key.value else { continue };
            if known.insert(text.clone(), entries.len()).is_none() {
                entries.push((key, value));
            }
        }
        Some(Node { span, value: Value::Map(entries) })
    }

    fn count_values(&mut self, values: usize, depth: usize, span: Span) -> Option<()> {
        self.values = self.values.saturating_add(values);
        if depth > MAX_DEPTH {
            return self.refuse(span, "values are nested too deeply");
        }
        if self.values > MAX_VALUES {
            return self.refuse(span, "the document holds too many values");
        }
        Some(())
    }

    fn next_event(&mut self) -> Option<(Event<'t>, ParserSpan)> {
        match self.parser.next_event()? {
            Ok(event) => Some(event),
            Err(error) => {
                let start = offset(error.marker().byte_offset());
                let span = Span { file: self.file, start, end: start.saturating_add(1) };
                self.refuse(span, &format!("this is neither YAML nor JSON: {}", error.info()))
            }
        }
    }

    fn refuse<T>(&mut self, span: Span, message: &str) -> Option<T> {
        self.findings.push(Finding::error(FindingCode::YamlSyntax, Some(span), message));
        None
    }

    fn span(&self, parsed: ParserSpan) -> Span {
        Span { file: self.file, start: offset(parsed.start.byte_offset()), end: offset(parsed.end.byte_offset()) }
    }
}

/// The entries of a merge key's value: one map, or several of which the first takes precedence.
fn merged_entries(value: Node) -> Vec<(Node, Node)> {
    match value.value {
        Value::Map(entries) => entries,
        Value::List(items) => items.into_iter().flat_map(merged_entries).collect(),
        Value::Scalar { .. } => Vec::new(),
    }
}

/// The number of values in a tree, and its depth.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<&Node> = match &node.value {
        Value::Scalar { .. } => return (1, 0),
        Value::List(items) => items.iter().collect(),
        Value::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
    };
    children
        .into_iter()
        .map(measure)
        .fold((1, 0), |(values, height), (more, below)| (values.saturating_add(more), height.max(below + 1)))
}

fn offset(offset: Option<usize>) -> u32 {
    offset.and_then(|offset| u32::try_from(offset).ok()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
