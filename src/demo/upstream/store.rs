//! Store: the upstream's records in one ordered map, limited in number and in bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde_json::{Map, Value};

/// The most records of all tenants together.
const MAX_RECORDS: usize = 20_000;
/// The most bytes of keys and records.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// StoreError: the reason why a record is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreError {
    /// The record, or its parent, does not exist.
    Missing,
    /// Its id is in use.
    Taken,
    /// The store is full.
    Full,
}

/// Store: JSON records by key; in the order of keys, the records under a record follow it.
#[derive(Debug)]
pub(super) struct Store {
    records: BTreeMap<Vec<String>, String>,
    bytes: usize,
    next: u64,
    limit: usize,
}

impl Default for Store {
    fn default() -> Self {
        Self { records: BTreeMap::new(), bytes: 0, next: 1000, limit: MAX_RECORDS }
    }
}

impl Store {
    /// The records of a collection; `None` where its parent record does not exist.
    pub(super) fn list(&self, collection: &[String]) -> Option<Vec<&str>> {
        let depth = collection.len() + 1;
        let listed =
            || self.records_under(collection).filter(|(key, _)| key.len() == depth).map(|(_, text)| text.as_str());
        self.owner_exists(collection).then(|| listed().collect())
    }

    /// The record at `key`.
    pub(super) fn record(&self, key: &[String]) -> Option<&str> {
        self.records.get(key).map(String::as_str)
    }

    /// Creates a record in `collection`, under its own `id` or a new one, and returns its id and text.
    pub(super) fn create(
        &mut self,
        collection: &[String],
        record: Map<String, Value>,
    ) -> Result<(String, String), StoreError> {
        if !self.owner_exists(collection) {
            return Err(StoreError::Missing);
        }
        let id = match record.get("id") {
            Some(Value::String(id)) if !id.is_empty() => id.clone(),
            _ => self.new_id(collection),
        };
        let key = child(collection, &id);
        if self.records.contains_key(&key) {
            return Err(StoreError::Taken);
        }
        let text = self.write(key, record)?;
        Ok((id, text))
    }

    /// Writes the record at `key`, and returns its text and whether it is new.
    ///
    /// Only a record with a parent may be new, as for assignments; others are created in their collection.
    pub(super) fn put(&mut self, key: &[String], record: Map<String, Value>) -> Result<(String, bool), StoreError> {
        let known = self.records.contains_key(key);
        let collection = key.split_last().map(|(_, collection)| collection).unwrap_or_default();
        if !known && (collection.len() < 3 || !self.owner_exists(collection)) {
            return Err(StoreError::Missing);
        }
        let text = self.write(key.to_vec(), record)?;
        Ok((text, !known))
    }

    /// Removes the record at `key` with all records under it; returns whether it existed.
    pub(super) fn remove(&mut self, key: &[String]) -> bool {
        self.records.contains_key(key) && self.clear(key)
    }

    /// Removes all records at or under `key`; returns whether there were any.
    pub(super) fn clear(&mut self, key: &[String]) -> bool {
        let keys: Vec<_> = self.records_under(key).map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| drop(self.remove_text(key)));
        !keys.is_empty()
    }

    /// Moves all records under patient `from` to patient `into`, removes `from`, and returns the text of `into`.
    pub(super) fn merge(&mut self, tenant: &str, from: &str, into: &str) -> Result<String, StoreError> {
        let patients = [tenant.to_owned(), "patients".to_owned()];
        let (old, new) = (child(&patients, from), child(&patients, into));
        let merged = self.records.get(&new).cloned().ok_or(StoreError::Missing)?;
        if from == into || !self.records.contains_key(&old) {
            return Err(StoreError::Missing);
        }
        let moving: Vec<_> = self.records_under(&old).map(|(key, _)| key.clone()).filter(|key| *key != old).collect();
        let children: BTreeSet<_> =
            moving.iter().filter_map(|key| key.get(..old.len() + 2)).map(<[_]>::to_vec).collect();
        for key in children {
            self.relocate(&key, &new);
        }
        self.reassign(tenant, from, into);
        self.remove_text(&old);
        Ok(merged)
    }

    /// Moves the record at `record_key`, with all records under it, to the same collection under `parent`.
    ///
    /// An id that is in use there is replaced.
    fn relocate(&mut self, record_key: &[String], parent: &[String]) {
        let Some([collection, id]) = record_key.last_chunk::<2>() else { return };
        let to = child(parent, collection);
        let target = child(&to, id);
        let target = if self.records.contains_key(&target) { child(&to, &self.new_id(&to)) } else { target };
        let moving: Vec<_> = self.records_under(record_key).map(|(key, _)| key.clone()).collect();
        for key in moving {
            let Some(text) = self.remove_text(&key) else { continue };
            let moved: Vec<_> = target.iter().chain(key.iter().skip(record_key.len())).cloned().collect();
            let text = if moved == target { replace_id(&text, &moved) } else { text };
            self.insert_text(moved, text);
        }
    }

    /// Moves the assignments of patient `from` in groups and lists to `into`, where `into` does not have them.
    fn reassign(&mut self, tenant: &str, from: &str, into: &str) {
        let scope = [tenant.to_owned()];
        let is_assignment = |key: &Vec<String>| {
            key.len() > 3 && matches!(key.last_chunk::<2>(), Some([c, id]) if c == "patients" && id == from)
        };
        let assigned: Vec<_> = self.records_under(&scope).map(|(key, _)| key.clone()).filter(is_assignment).collect();
        for key in assigned {
            let Some(text) = self.remove_text(&key) else { continue };
            let Some((_, collection)) = key.split_last() else { continue };
            let moved = child(collection, into);
            if !self.records.contains_key(&moved) {
                let text = replace_id(&text, &moved);
                self.insert_text(moved, text);
            }
        }
    }

    fn records_under<'s>(&'s self, prefix: &[String]) -> impl Iterator<Item = (&'s Vec<String>, &'s String)> {
        let from: (Bound<&[String]>, Bound<&[String]>) = (Bound::Included(prefix), Bound::Unbounded);
        self.records.range::<[String], _>(from).take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// Whether the parent record of `collection` exists; a tenant's own collections always exist.
    fn owner_exists(&self, collection: &[String]) -> bool {
        match collection.split_last() {
            Some((_, owner)) => owner.len() < 3 || self.records.contains_key(owner),
            None => false,
        }
    }

    fn new_id(&mut self, collection: &[String]) -> String {
        let letter = collection.last().and_then(|name| name.chars().next()).unwrap_or('x');
        loop {
            self.next += 1;
            let id = format!("{letter}{}", self.next);
            if !self.records.contains_key(&child(collection, &id)) {
                return id;
            }
        }
    }

    fn write(&mut self, key: Vec<String>, record: Map<String, Value>) -> Result<String, StoreError> {
        let text = serialize_record(record, &key);
        let old_size = self.records.get(&key).map_or(0, |old| size(&key, old));
        let added = usize::from(old_size == 0);
        if self.records.len() + added > self.limit || self.bytes - old_size + size(&key, &text) > MAX_BYTES {
            return Err(StoreError::Full);
        }
        self.remove_text(&key);
        self.insert_text(key, text.clone());
        Ok(text)
    }

    fn insert_text(&mut self, key: Vec<String>, text: String) {
        self.bytes += size(&key, &text);
        self.records.insert(key, text);
    }

    fn remove_text(&mut self, key: &[String]) -> Option<String> {
        let text = self.records.remove(key)?;
        self.bytes -= size(key, &text);
        Some(text)
    }
}

fn child(key: &[String], name: &str) -> Vec<String> {
    key.iter().cloned().chain([name.to_owned()]).collect()
}

fn size(key: &[String], text: &str) -> usize {
    text.len() + key.iter().map(String::len).sum::<usize>()
}

/// Serializes a record with the id of its key, as its first member.
fn serialize_record(record: Map<String, Value>, key: &[String]) -> String {
    let id = key.last().map(String::as_str).unwrap_or_default();
    let mut object = Map::new();
    object.insert("id".to_owned(), Value::from(id));
    object.extend(record.into_iter().filter(|(name, _)| name != "id"));
    Value::Object(object).to_string()
}

fn replace_id(text: &str, key: &[String]) -> String {
    match serde_json::from_str(text) {
        Ok(Value::Object(record)) => serialize_record(record, key),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
