//! SchemaBuilder: what may stand in one place of a file, as JSON Schema (draft-07, which every yaml-language-server reads).

use serde_json::{Map, Value, json};

/// SchemaBuilder: a schema that is put together word by word.
#[derive(Debug, Clone)]
pub(super) struct SchemaBuilder(Map<String, Value>);

/// A text that says something.
pub(super) fn text() -> SchemaBuilder {
    matching(r"\S")
}

/// A text that the regular expression finds itself in.
pub(super) fn matching(pattern: &str) -> SchemaBuilder {
    SchemaBuilder::new("string").with("pattern", pattern)
}

/// One of these words.
pub(super) fn word<'a>(words: impl IntoIterator<Item = &'a str>) -> SchemaBuilder {
    SchemaBuilder::new("string").with("enum", words.into_iter().collect::<Vec<_>>())
}

/// A whole number, both bounds included.
pub(super) fn number(least: u64, most: u64) -> SchemaBuilder {
    SchemaBuilder::new("integer").with("minimum", least).with("maximum", most)
}

/// This number and no other.
pub(super) fn only(value: u64) -> SchemaBuilder {
    SchemaBuilder::new("integer").with("const", value)
}

/// `true` or `false`.
pub(super) fn flag() -> SchemaBuilder {
    SchemaBuilder::new("boolean")
}

/// A list of such items.
pub(super) fn list(item: SchemaBuilder) -> SchemaBuilder {
    SchemaBuilder::new("array").with("items", item.0)
}

/// A list of names or texts.
pub(super) fn texts() -> SchemaBuilder {
    list(text())
}

/// A map whose keys are names of the writer's own.
pub(super) fn names(name: SchemaBuilder, value: SchemaBuilder) -> SchemaBuilder {
    SchemaBuilder::new("object").with("propertyNames", name.0).with("additionalProperties", value.0)
}

/// A map with these keys and no other.
pub(super) fn record<const N: usize>(keys: [(&str, SchemaBuilder); N]) -> SchemaBuilder {
    SchemaBuilder::new("object").with("additionalProperties", false).keys(keys)
}

/// A map of anything.
pub(super) fn map() -> SchemaBuilder {
    SchemaBuilder::new("object")
}

/// One of several sorts of value.
pub(super) fn any<const N: usize>(shapes: [SchemaBuilder; N]) -> SchemaBuilder {
    SchemaBuilder(Map::new()).with("anyOf", shapes.map(|shape| Value::Object(shape.0)).to_vec())
}

/// The shape that the schema defines under this name.
pub(super) fn defined(name: &str) -> SchemaBuilder {
    SchemaBuilder(Map::new()).with("$ref", format!("#/definitions/{name}"))
}

impl SchemaBuilder {
    fn new(sort: &str) -> Self {
        Self(Map::new()).with("type", sort)
    }

    /// The same with one more keyword.
    pub(super) fn with(mut self, keyword: &str, value: impl Into<Value>) -> Self {
        self.0.insert(keyword.to_owned(), value.into());
        self
    }

    /// What an editor shows about it.
    pub(super) fn says(self, sentence: &str) -> Self {
        self.with("description", sentence)
    }

    /// What an editor complains of where the pattern does not fit; other readers know no such keyword.
    pub(super) fn or_else(self, complaint: &str) -> Self {
        self.with("patternErrorMessage", complaint)
    }

    /// What an editor calls it among others.
    pub(super) fn called(self, title: &str) -> Self {
        self.with("title", title)
    }

    /// What counts where nothing is written.
    pub(super) fn otherwise(self, value: impl Into<Value>) -> Self {
        self.with("default", value)
    }

    /// What may stand there, for instance.
    pub(super) fn such_as(self, value: impl Into<Value>) -> Self {
        self.with("examples", vec![value.into()])
    }

    /// Keys of their own meaning.
    pub(super) fn keys<const N: usize>(self, keys: [(&str, SchemaBuilder); N]) -> Self {
        let keys = keys.into_iter().map(|(key, shape)| (key.to_owned(), Value::Object(shape.0)));
        self.with("properties", keys.collect::<Map<_, _>>())
    }

    /// Keys that have to be there.
    pub(super) fn needs<const N: usize>(self, keys: [&str; N]) -> Self {
        self.with("required", keys.to_vec())
    }

    /// Groups of keys, of which exactly one group is there.
    pub(super) fn needs_one_of<const N: usize>(self, groups: [&[&str]; N]) -> Self {
        self.with("oneOf", groups.map(|keys| json!({ "required": keys })).to_vec())
    }

    /// Keys that stand beside one of some others only.
    pub(super) fn beside<const N: usize>(self, keys: [(&str, &[&str]); N]) -> Self {
        let one = |others: &[&str]| others.iter().map(|other| json!({ "required": [other] })).collect::<Vec<_>>();
        let keys = keys.into_iter().map(|(key, others)| (key.to_owned(), json!({ "anyOf": one(others) })));
        self.with("dependencies", keys.collect::<Map<_, _>>())
    }

    /// A list or a map that is not empty.
    pub(super) fn filled(self) -> Self {
        let keyword = if self.0.contains_key("items") { "minItems" } else { "minProperties" };
        self.with(keyword, 1)
    }

    /// A list that holds nothing twice.
    pub(super) fn distinct(self) -> Self {
        self.with("uniqueItems", true)
    }

    /// The whole schema of a file, which says how to print it again, with the shapes that it refers to.
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
