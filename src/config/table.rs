//! Reads typed values out of a TOML document. Every fault is collected with its place; what was not asked for is an
//! unknown key.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::ops::{Range, RangeInclusive};

use ipnet::IpNet;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::fault::{Fault, Lines};

/// A document being read, and what was found wrong in it so far.
pub(super) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    lines: Lines<'a>,
    faults: RefCell<Vec<Fault>>,
}

/// A table of a document: `[sip]`, or one of the `[[trunk]]`s.
pub(super) struct Table<'a> {
    document: &'a Document<'a>,
    /// As a person writes it; begins every fault's key.
    name: String,
    keys: Option<&'a DeTable<'a>>,
    at: Range<usize>,
    asked: Vec<&'static str>,
}

impl<'a> Document<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, lines: Lines::of(text), faults: RefCell::new(Vec::new()) }
    }

    /// The faults, without those that may only follow from a fault of the syntax: those in the same line, and keys
    /// outside of any table, whose header may be what is broken.
    pub(super) fn into_faults(self) -> Vec<Fault> {
        let mut faults = self.faults.into_inner();
        let line = |fault: &Fault| fault.place.map(|place| place.line);
        let broken: Vec<_> = faults.iter().filter(|fault| fault.key.is_none()).map(line).collect();
        faults.retain(|fault| match &fault.key {
            Some(key) => broken.is_empty() || (key.starts_with('[') && !broken.contains(&line(fault))),
            None => true,
        });
        faults
    }

    /// Whether nothing wrong was found so far.
    pub(super) fn is_sound(&self) -> bool {
        self.faults.borrow().is_empty()
    }

    /// Notes a fault of the syntax.
    pub(super) fn syntax_fault(&self, error: &toml::de::Error) {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        self.note(error.span(), None, None, format!("is not TOML here: {message}"));
    }

    fn note(&self, at: Option<Range<usize>>, key: Option<String>, value: Option<String>, message: String) {
        let place = at.map(|at| self.lines.place(at.start));
        let file = self.file.to_owned();
        self.faults.borrow_mut().push(Fault { file, place, key, value, message });
    }

    /// What was written there, on one line and not too long.
    fn written(&self, at: &Range<usize>) -> Option<String> {
        self.text.get(at.clone()).map(shown)
    }
}

impl<'a> Table<'a> {
    /// The document's own table.
    pub(super) fn root(document: &'a Document<'a>, keys: &'a Spanned<DeTable<'a>>) -> Self {
        Self { document, name: String::new(), keys: Some(keys.get_ref()), at: keys.span(), asked: Vec::new() }
    }

    /// The table `[key]`; an empty one if it is not there.
    pub(super) fn section(&mut self, key: &'static str) -> Table<'a> {
        let name = format!("[{key}]");
        let empty = Table { document: self.document, name, keys: None, at: 0..0, asked: Vec::new() };
        let Some((at, value)) = self.ask(key) else { return empty };
        match value.get_ref() {
            DeValue::Table(keys) => Table { keys: Some(keys), at, ..empty },
            _ => {
                self.document.note(
                    Some(at),
                    Some(empty.name.clone()),
                    None,
                    format!("must be a table: write [{key}]"),
                );
                empty
            }
        }
    }

    /// The tables `[key.NAME]` with their names, at most `limit`.
    pub(super) fn named(&mut self, key: &'static str, limit: usize) -> Vec<(String, Table<'a>)> {
        let Some((at, value)) = self.ask(key) else { return Vec::new() };
        let fault = |at, key: &str, message| {
            self.document.note(Some(at), Some(format!("[{}]", shown(key))), None, message);
        };
        let DeValue::Table(tables) = value.get_ref() else {
            fault(at, key, format!("must be tables with names: write [{key}.NAME] above each"));
            return Vec::new();
        };
        if tables.len() > limit {
            fault(at, key, format!("there are {}; at most {limit} are allowed", tables.len()));
        }
        let mut named = Vec::new();
        for (name, value) in tables.iter().take(limit) {
            let (name, at) = (name.get_ref().to_string(), value.span());
            let whole = format!("{key}.{name}");
            match value.get_ref() {
                DeValue::Table(keys) => {
                    let title = format!("[{}]", shown(&whole));
                    let (document, keys) = (self.document, Some(keys));
                    named.push((name, Table { document, name: title, keys, at, asked: Vec::new() }));
                }
                _ => fault(at, &whole, format!("must be a table: write [{key}.NAME] above its keys")),
            }
        }
        named
    }

    /// The tables `[[key]]`, at most `limit`.
    pub(super) fn sections(&mut self, key: &'static str, limit: usize) -> Vec<Table<'a>> {
        let Some((at, value)) = self.ask(key) else { return Vec::new() };
        let fault = |at, message| self.document.note(Some(at), Some(format!("[[{key}]]")), None, message);
        let DeValue::Array(items) = value.get_ref() else {
            fault(at, format!("must be a list of tables: write [[{key}]] with double brackets above each"));
            return Vec::new();
        };
        if items.len() > limit {
            fault(at, format!("there are {}; at most {limit} are allowed", items.len()));
        }
        let mut tables = Vec::new();
        for (number, item) in (1..=limit).zip(items.iter()) {
            let (name, at) = (format!("[[{key}]] {number}"), item.span());
            match item.get_ref() {
                DeValue::Table(keys) => tables.push(Table {
                    document: self.document,
                    name,
                    keys: Some(keys),
                    at,
                    asked: Vec::new(),
                }),
                _ => fault(at, format!("must be a list of tables: write [[{key}]] above each")),
            }
        }
        tables
    }

    /// Reads the value of a key, if it is there and sound.
    pub(super) fn get<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        let (_, value) = self.ask(key)?;
        self.read_one(key, value, &read)
    }

    /// Reads the value of a key that must be there.
    pub(super) fn require<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        if !self.has(key) {
            self.asked.push(key);
            self.fault(format!("needs the key `{key}`"));
            return None;
        }
        self.get(key, read)
    }

    /// Reads a list with at most `limit` items; the sound ones of them.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        limit: usize,
        read: impl Fn(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let (_, value) = self.ask(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            self.fault_at(key, "must be a list in brackets".to_owned());
            return None;
        };
        if items.len() > limit {
            self.fault_at(key, format!("has {} items; at most {limit} are allowed", items.len()));
        }
        Some(items.iter().take(limit).filter_map(|item| self.read_one(key, item, &read)).collect())
    }

    /// Reads a list that must be there and hold something.
    pub(super) fn require_list<T>(
        &mut self,
        key: &'static str,
        limit: usize,
        read: impl Fn(&DeValue<'_>) -> Result<T, String>,
    ) -> Vec<T> {
        if !self.has(key) {
            self.asked.push(key);
            self.fault(format!("needs the key `{key}`"));
            return Vec::new();
        }
        if self.is_empty_list(key) {
            self.fault_at(key, "must not be empty".to_owned());
        }
        self.list(key, limit, read).unwrap_or_default()
    }

    /// Whether the table itself is there.
    pub(super) fn is_there(&self) -> bool {
        self.keys.is_some()
    }

    /// Whether a key is there, sound or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Whether a key holds an empty list.
    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        let items = self.value(key).and_then(|value| value.get_ref().as_array());
        items.is_some_and(|items| items.is_empty())
    }

    /// Notes a fault of the table as a whole.
    pub(super) fn fault(&self, message: String) {
        self.document.note(Some(self.at.clone()), Some(self.name.clone()), None, message);
    }

    /// Notes a fault of a key's value; of the table if the key is not there.
    pub(super) fn fault_at(&self, key: &str, message: String) {
        let at = self.place_of(key);
        let written = at.as_ref().and_then(|at| self.document.written(at));
        let at = at.unwrap_or_else(|| self.at.clone());
        self.document.note(Some(at), Some(self.path(key)), written, message);
    }

    /// The same of a value that may be secret: it is not shown.
    pub(super) fn fault_unseen(&self, key: &str, message: String) {
        let at = self.place_of(key).unwrap_or_else(|| self.at.clone());
        self.document.note(Some(at), Some(self.path(key)), None, message);
    }

    /// Line of the table in the file, to point from one fault to another table.
    pub(super) fn line(&self) -> usize {
        self.document.lines.place(self.at.start).line
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(self) {
        let Some(keys) = self.keys else { return };
        for key in keys.keys() {
            if !self.asked.contains(&key.get_ref().as_ref()) {
                self.document.note(Some(key.span()), Some(self.path(key.get_ref())), None, self.unknown(key));
            }
        }
    }

    fn unknown(&self, key: &Spanned<DeString<'_>>) -> String {
        if key.get_ref().len() > MAX_SHOWN_CHARS {
            return "unknown key".to_owned();
        }
        match nearest(self.asked.iter().copied(), key.get_ref()) {
            Some(known) => format!("unknown key; did you mean `{known}`?"),
            None => format!("unknown key; known here: {}", self.asked.join(", ")),
        }
    }

    fn read_one<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        read: &impl Fn(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        read(value.get_ref())
            .map_err(|message| {
                let written = self.document.written(&value.span());
                self.document.note(Some(value.span()), Some(self.path(key)), written, message);
            })
            .ok()
    }

    fn ask(&mut self, key: &'static str) -> Option<(Range<usize>, &'a Spanned<DeValue<'a>>)> {
        self.asked.push(key);
        let value = self.value(key)?;
        Some((value.span(), value))
    }

    fn place_of(&self, key: &str) -> Option<Range<usize>> {
        self.value(key).map(Spanned::span)
    }

    fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.keys?.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn path(&self, key: &str) -> String {
        let key = shown(key);
        if self.name.is_empty() { key } else { format!("{} {key}", self.name) }
    }
}

/// Of what is known, that which somebody may have meant.
pub(super) fn nearest<'k>(known: impl Iterator<Item = &'k str>, written: &str) -> Option<&'k str> {
    let distance = |known: &&str| strsim::damerau_levenshtein(known, written);
    let is_near = |known: &&str| distance(known) <= MAX_TYPOS.min(known.len() / 2);
    known.min_by_key(distance).filter(is_near)
}

/// A piece of the file as it may stand in a fault: on one line, not too long, nothing that moves a terminal's cursor.
fn shown(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = line
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .take(MAX_SHOWN_CHARS)
        .collect();
    if line.chars().nth(MAX_SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// A text.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "must be a text in quotation marks".to_owned())
}

/// `true` or `false`.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "must be true or false".to_owned())
}

/// A whole number within bounds; the unit is named in the fault.
pub(super) fn integer(
    range: RangeInclusive<u64>,
    unit: &'static str,
) -> impl Fn(&DeValue<'_>) -> Result<u64, String> {
    move |value| {
        let digits = value.as_integer();
        let number = digits.and_then(|digits| u64::from_str_radix(digits.as_str(), digits.radix()).ok());
        let within = number.filter(|number| range.contains(number));
        within.ok_or_else(|| {
            format!("must be {}..={} {unit}", range.start(), range.end()).trim_end().to_owned()
        })
    }
}

/// A number within bounds, whole or not; the unit is named in the fault.
pub(super) fn decimal(
    range: RangeInclusive<f32>,
    unit: &'static str,
) -> impl Fn(&DeValue<'_>) -> Result<f32, String> {
    move |value| {
        let written = value.as_float().map(|float| float.as_str());
        let written = written.or_else(|| value.as_integer().map(|digits| digits.as_str()));
        let number = written.and_then(|digits| digits.parse().ok());
        // What is no number is not within.
        let within = number.filter(|number| range.contains(number));
        within.ok_or_else(|| {
            format!("must be {}..={} {unit}", range.start(), range.end()).trim_end().to_owned()
        })
    }
}

/// One of a few words.
pub(super) fn word<T: Copy>(
    words: &'static [(&'static str, T)],
) -> impl Fn(&DeValue<'_>) -> Result<T, String> {
    move |value| {
        let known = value.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
        known.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let listed: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            format!("must be {}", listed.join(" or "))
        })
    }
}

/// An address and port to listen on.
pub(super) fn socket_address(value: &DeValue<'_>) -> Result<SocketAddr, String> {
    let address = value.as_str().and_then(|text| text.parse().ok());
    address.ok_or_else(|| "must be an IP address and port, as \"0.0.0.0:5060\" or \"[::]:5060\"".to_owned())
}

/// An address that peers can reach.
pub(super) fn advertised_address(value: &DeValue<'_>) -> Result<IpAddr, String> {
    let address: Option<IpAddr> = value.as_str().and_then(|text| text.parse().ok());
    match address {
        Some(address) if address.is_unspecified() || address.is_multicast() => {
            Err("must be an address to which peers can send".to_owned())
        }
        Some(address) => Ok(address),
        None => Err("must be an IP address, as \"203.0.113.7\"".to_owned()),
    }
}

/// A network in CIDR notation; a bare address is a network of one.
pub(super) fn network(value: &DeValue<'_>) -> Result<IpNet, String> {
    let text = value.as_str().unwrap_or_default();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let net: IpNet =
        text.parse().map_err(|_| "must be an address or a network, as \"54.172.60.0/30\"".to_owned())?;
    if net.trunc() != net {
        return Err(format!("has host bits set; write \"{}\" or \"{}\"", net.trunc(), net.addr()));
    }
    Ok(net)
}

/// What is shown of a value; the rest can be seen in the file.
const MAX_SHOWN_CHARS: usize = 60;

/// Letters that may be wrong, missing, too many or swapped in a key that is still recognised.
const MAX_TYPOS: usize = 3;
