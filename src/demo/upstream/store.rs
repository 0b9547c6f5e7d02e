//! Store: the upstream's records in one ordered map, bounded in number and in bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde_json::{Map, Value};

/// The most records, of all tenants together.
const RECORDS: usize = 20_000;
/// The most bytes of keys and records.
const BYTES: usize = 64 * 1024 * 1024;

/// StoreError: why a record was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreError {
    /// The record, or the one it would stand under, does not exist.
    Missing,
    /// Its id is in use.
    Taken,
    /// There is no room for it.
    Full,
}

/// Store: JSON records by key; the records under a record follow it in the order of keys.
#[derive(Debug)]
pub(super) struct Store {
    records: BTreeMap<Vec<String>, String>,
    bytes: usize,
    next: u64,
    limit: usize,
}

impl Default for Store {
    fn default() -> Self {
        Self { records: BTreeMap::new(), bytes: 0, next: 1000, limit: RECORDS }
    }
}

impl Store {
    /// The records of a collection; `None` where the record that it belongs to does not exist.
    pub(super) fn list(&self, collection: &[String]) -> Option<Vec<&str>> {
        let depth = collection.len() + 1;
        let listed = || self.below(collection).filter(|(key, _)| key.len() == depth).map(|(_, text)| text.as_str());
        self.has_room_under(collection).then(|| listed().collect())
    }

    /// The record at `key`.
    pub(super) fn record(&self, key: &[String]) -> Option<&str> {
        self.records.get(key).map(String::as_str)
    }

    /// The id and the text of a new record in `collection`, under its own `id` or a new one.
    pub(super) fn create(
        &mut self,
        collection: &[String],
        record: Map<String, Value>,
    ) -> Result<(String, String), StoreError> {
        if !self.has_room_under(collection) {
            return Err(StoreError::Missing);
        }
        let id = match record.get("id") {
            Some(Value::String(id)) if !id.is_empty() => id.clone(),
            _ => self.fresh(collection),
        };
        let key = child(collection, &id);
        if self.records.contains_key(&key) {
            return Err(StoreError::Taken);
        }
        let text = self.write(key, record)?;
        Ok((id, text))
    }

    /// The text of the record that now stands at `key`, and whether it is new there.
    ///
    /// Only a record under another one may be new, as assignments are: the others are created in their collection.
    pub(super) fn put(&mut self, key: &[String], record: Map<String, Value>) -> Result<(String, bool), StoreError> {
        let known = self.records.contains_key(key);
        let collection = key.split_last().map(|(_, collection)| collection).unwrap_or_default();
        if !known && (collection.len() < 3 || !self.has_room_under(collection)) {
            return Err(StoreError::Missing);
        }
        let text = self.write(key.to_vec(), record)?;
        Ok((text, !known))
    }

    /// Whether there was a record at `key`; it is gone with all that stood under it.
    pub(super) fn remove(&mut self, key: &[String]) -> bool {
        self.records.contains_key(key) && self.clear(key)
    }

    /// Whether there was anything at or under `key`; it is gone.
    pub(super) fn clear(&mut self, key: &[String]) -> bool {
        let gone: Vec<_> = self.below(key).map(|(key, _)| key.clone()).collect();
        gone.iter().for_each(|key| drop(self.take(key)));
        !gone.is_empty()
    }

    /// The text of the patient `into`, who now has what stood under `from`; `from` is gone.
    pub(super) fn merge(&mut self, tenant: &str, from: &str, into: &str) -> Result<String, StoreError> {
        let patients = [tenant.to_owned(), "patients".to_owned()];
        let (old, new) = (child(&patients, from), child(&patients, into));
        let merged = self.records.get(&new).cloned().ok_or(StoreError::Missing)?;
        if from == into || !self.records.contains_key(&old) {
            return Err(StoreError::Missing);
        }
        let moving: Vec<_> = self.below(&old).map(|(key, _)| key.clone()).filter(|key| *key != old).collect();
        let children: BTreeSet<_> =
            moving.iter().filter_map(|key| key.get(..old.len() + 2)).map(<[_]>::to_vec).collect();
        for at in children {
            self.relocate(&at, &new);
        }
        self.reassign(tenant, from, into);
        self.take(&old);
        Ok(merged)
    }

    /// Moves the record `at`, with all under it, to the same collection under `parent`; ids in use there are left alone.
    fn relocate(&mut self, at: &[String], parent: &[String]) {
        let Some([collection, id]) = at.last_chunk::<2>() else { return };
        let to = child(parent, collection);
        let target = child(&to, id);
        let target = if self.records.contains_key(&target) { child(&to, &self.fresh(&to)) } else { target };
        let moving: Vec<_> = self.below(at).map(|(key, _)| key.clone()).collect();
        for key in moving {
            let Some(text) = self.take(&key) else { continue };
            let moved: Vec<_> = target.iter().chain(key.iter().skip(at.len())).cloned().collect();
            let text = if moved == target { renamed(&text, &moved) } else { text };
            self.place(moved, text);
        }
    }

    /// Gives the places of patient `from` in groups and lists to `into`, who may already have them.
    fn reassign(&mut self, tenant: &str, from: &str, into: &str) {
        let scope = [tenant.to_owned()];
        let is_assignment = |key: &Vec<String>| {
            key.len() > 3 && matches!(key.last_chunk::<2>(), Some([c, id]) if c == "patients" && id == from)
        };
        let assigned: Vec<_> = self.below(&scope).map(|(key, _)| key.clone()).filter(is_assignment).collect();
        for key in assigned {
            let Some(text) = self.take(&key) else { continue };
            let Some((_, collection)) = key.split_last() else { continue };
            let moved = child(collection, into);
            if !self.records.contains_key(&moved) {
                let text = renamed(&text, &moved);
                self.place(moved, text);
            }
        }
    }

    fn below<'s>(&'s self, prefix: &[String]) -> impl Iterator<Item = (&'s Vec<String>, &'s String)> {
        let from: (Bound<&[String]>, Bound<&[String]>) = (Bound::Included(prefix), Bound::Unbounded);
        self.records.range::<[String], _>(from).take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// Whether the record that `collection` belongs to exists; a tenant's own collections always do.
    fn has_room_under(&self, collection: &[String]) -> bool {
        match collection.split_last() {
            Some((_, owner)) => owner.len() < 3 || self.records.contains_key(owner),
            None => false,
        }
    }

    fn fresh(&mut self, collection: &[String]) -> String {
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
        let text = identified(record, &key);
        let gone = self.records.get(&key).map_or(0, |old| size(&key, old));
        let grown = usize::from(gone == 0);
        if self.records.len() + grown > self.limit || self.bytes - gone + size(&key, &text) > BYTES {
            return Err(StoreError::Full);
        }
        self.take(&key);
        self.place(key, text.clone());
        Ok(text)
    }

    fn place(&mut self, key: Vec<String>, text: String) {
        self.bytes += size(&key, &text);
        self.records.insert(key, text);
    }

    fn take(&mut self, key: &[String]) -> Option<String> {
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

/// The record's text, whose `id` comes first and is the one that it is stored under.
fn identified(record: Map<String, Value>, key: &[String]) -> String {
    let id = key.last().map(String::as_str).unwrap_or_default();
    let mut whole = Map::new();
    whole.insert("id".to_owned(), Value::from(id));
    whole.extend(record.into_iter().filter(|(name, _)| name != "id"));
    Value::Object(whole).to_string()
}

fn renamed(text: &str, key: &[String]) -> String {
    match serde_json::from_str(text) {
        Ok(Value::Object(record)) => identified(record, key),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
