//! SchemaBuilder: builds JSON Schemas (draft-07, which every yaml-language-server supports).

use serde_json::{Map, Value, json};

/// SchemaBuilder: a schema, built keyword by keyword.
#[derive(Debug, Clone)]
pub(super) struct SchemaBuilder(Map<String, Value>);

/// A string with at least one character that is not white space.
pub(super) fn text() -> SchemaBuilder {
    pattern(r"\S")
}

/// A string that the regular expression matches.
pub(super) fn pattern(pattern: &str) -> SchemaBuilder {
    SchemaBuilder::new("string").with("pattern", pattern)
}

/// One of these words.
pub(super) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> SchemaBuilder {
    SchemaBuilder::new("string").with("enum", words.into_iter().collect::<Vec<_>>())
}

/// An integer between two inclusive bounds.
pub(super) fn integer(min: u64, max: u64) -> SchemaBuilder {
    SchemaBuilder::new("integer").with("minimum", min).with("maximum", max)
}

/// Exactly this number.
pub(super) fn constant(value: u64) -> SchemaBuilder {
    SchemaBuilder::new("integer").with("const", value)
}

/// `true` or `false`.
pub(super) fn boolean() -> SchemaBuilder {
    SchemaBuilder::new("boolean")
}

/// A list of such items.
pub(super) fn list(item: SchemaBuilder) -> SchemaBuilder {
    SchemaBuilder::new("array").with("items", item.0)
}

/// A list of strings.
pub(super) fn texts() -> SchemaBuilder {
    list(text())
}

/// A map with arbitrary names as keys.
pub(super) fn map_of(name: SchemaBuilder, value: SchemaBuilder) -> SchemaBuilder {
    SchemaBuilder::new("object").with("propertyNames", name.0).with("additionalProperties", value.0)
}

/// A map with exactly these allowed keys.
pub(super) fn object<const N: usize>(keys: [(&str, SchemaBuilder); N]) -> SchemaBuilder {
    SchemaBuilder::new("object").with("additionalProperties", false).keys(keys)
}

/// A map with any keys and values.
pub(super) fn any_map() -> SchemaBuilder {
    SchemaBuilder::new("object")
}

/// One of several kinds of value.
pub(super) fn any_of<const N: usize>(shapes: [SchemaBuilder; N]) -> SchemaBuilder {
    SchemaBuilder(Map::new()).with("anyOf", shapes.map(|shape| Value::Object(shape.0)).to_vec())
}

/// A reference to the definition with this name.
pub(super) fn reference(name: &str) -> SchemaBuilder {
    SchemaBuilder(Map::new()).with("$ref", format!("#/definitions/{name}"))
}

impl SchemaBuilder {
    fn new(kind: &str) -> Self {
        Self(Map::new()).with("type", kind)
    }

    /// Adds a keyword.
    pub(super) fn with(mut self, keyword: &str, value: impl Into<Value>) -> Self {
        self.0.insert(keyword.to_owned(), value.into());
        self
    }

    /// Sets the description that an editor shows.
    pub(super) fn description(self, sentence: &str) -> Self {
        self.with("description", sentence)
    }

    /// Sets the message of yaml-language-server where the pattern does not match; other validators ignore the keyword.
    pub(super) fn pattern_error(self, message: &str) -> Self {
        self.with("patternErrorMessage", message)
    }

    /// Sets the title with which an editor distinguishes alternatives.
    pub(super) fn title(self, title: &str) -> Self {
        self.with("title", title)
    }

    /// Sets the default value.
    pub(super) fn default_value(self, value: impl Into<Value>) -> Self {
        self.with("default", value)
    }

    /// Sets an example value.
    pub(super) fn example(self, value: impl Into<Value>) -> Self {
        self.with("examples", vec![value.into()])
    }

    /// Sets the named keys.
    pub(super) fn keys<const N: usize>(self, keys: [(&str, SchemaBuilder); N]) -> Self {
        let keys = keys.into_iter().map(|(key, shape)| (key.to_owned(), Value::Object(shape.0)));
        self.with("properties", keys.collect::<Map<_, _>>())
    }

    /// Sets the required keys.
    pub(super) fn required<const N: usize>(self, keys: [&str; N]) -> Self {
        self.with("required", keys.to_vec())
    }

    /// Requires exactly one of several groups of keys.
    pub(super) fn required_one_of<const N: usize>(self, groups: [&[&str]; N]) -> Self {
        self.with("oneOf", groups.map(|keys| json!({ "required": keys })).to_vec())
    }

    /// Allows each key only together with one of the listed others.
    pub(super) fn dependencies<const N: usize>(self, keys: [(&str, &[&str]); N]) -> Self {
        let one = |others: &[&str]| others.iter().map(|other| json!({ "required": [other] })).collect::<Vec<_>>();
        let keys = keys.into_iter().map(|(key, others)| (key.to_owned(), json!({ "anyOf": one(others) })));
        self.with("dependencies", keys.collect::<Map<_, _>>())
    }

    /// Requires at least one item or key.
    pub(super) fn non_empty(self) -> Self {
        let keyword = if self.0.contains_key("items") { "minItems" } else { "minProperties" };
        self.with(keyword, 1)
    }

    /// Requires the items of a list to be distinct.
    pub(super) fn unique(self) -> Self {
        self.with("uniqueItems", true)
    }

    /// The whole schema of a file, with the definitions that it refers to and a comment that names its command.
    pub(super) fn document<const N: usize>(
        self,
        word: &str,
        title: &str,
        definitions: [(&str, SchemaBuilder); N],
    ) -> Value {
        let mut schema = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$comment": format!("printed by `portcullis schema {word}`: renew it rather than edit it"),
            "title": title,
        });
        if let Some(keywords) = schema.as_object_mut() {
            keywords.extend(self.0);
            let definitions = definitions.into_iter().map(|(name, shape)| (name.to_owned(), Value::Object(shape.0)));
            let definitions: Map<_, _> = definitions.collect();
            if !definitions.is_empty() {
                keywords.insert("definitions".to_owned(), definitions.into());
            }
        }
        schema
    }
}
