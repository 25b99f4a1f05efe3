//! What is wrong with a configuration, each fault on a line that says where.

use std::fmt;

use serde::Serialize;

/// Everything that is wrong with a configuration, in the order of the file; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct Faults(Vec<Fault>);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file as it was named.
    pub file: String,
    /// Where in the file; nowhere if it cannot be read at all.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// The key as in `[rtp] jitter_ms`; none for faults of the file or its syntax.
    pub key: Option<String>,
    /// What was written there, shortened.
    pub value: Option<String>,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// A place in a file, both numbers from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Character in the line.
    pub column: usize,
}

impl Faults {
    /// `None` if there is no fault.
    pub fn of(mut faults: Vec<Fault>) -> Option<Self> {
        faults.sort_by_key(|fault| fault.place);
        (!faults.is_empty()).then_some(Self(faults))
    }

    /// The faults of several files, one file behind the other; `None` if there is none.
    pub fn of_files(files: impl IntoIterator<Item = Self>) -> Option<Self> {
        let faults: Vec<Fault> = files.into_iter().flat_map(|file| file.0).collect();
        (!faults.is_empty()).then_some(Self(faults))
    }

    /// With others of the same file.
    pub(super) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self.0.sort_by_key(|fault| fault.place);
        self
    }

    /// The faults in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// How many there are; at least one.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let end_of_last = if index == 0 { "" } else { "\n" };
            write!(f, "{end_of_last}{fault}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(Place { line, column }) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        match (&self.key, &self.value) {
            (Some(key), Some(value)) => write!(f, " {key} = {value}:")?,
            (Some(key), None) => write!(f, " {key}:")?,
            (None, _) => {}
        }
        write!(f, " {}", self.message)
    }
}

/// Where the lines of a text begin, so that places are found quickly.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// The place of a byte.
    pub(super) fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..offset.min(self.text.len())).unwrap_or_default();
        Place { line, column: before.chars().count() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_line_that_leads_to_the_key() {
        let fault = Fault {
            file: "caly.toml".into(),
            place: Some(Place { line: 12, column: 13 }),
            key: Some("[rtp] jitter_ms".into()),
            value: Some("500".into()),
            message: "must be 20..=200 ms".into(),
        };
        assert_eq!(fault.to_string(), "caly.toml:12:13: [rtp] jitter_ms = 500: must be 20..=200 ms");
        let json = serde_json::to_string(&Faults::from(fault)).unwrap();
        let expected = r#"[{"file":"caly.toml","line":12,"column":13,"key":"[rtp] jitter_ms","value":"500","message":"must be 20..=200 ms"}]"#;
        assert_eq!(json, expected);
    }

    #[test]
    fn places_count_characters() {
        let text = "a = 1\nच = 2\n";
        let lines = Lines::of(text);
        assert_eq!(lines.place(0), Place { line: 1, column: 1 });
        assert_eq!(lines.place(text.find('\n').unwrap()), Place { line: 1, column: 6 });
        assert_eq!(lines.place(text.find('2').unwrap()), Place { line: 2, column: 5 });
        assert_eq!(lines.place(10_000), Place { line: 3, column: 1 });
        assert_eq!(Lines::of("").place(0), Place { line: 1, column: 1 });
    }
}
