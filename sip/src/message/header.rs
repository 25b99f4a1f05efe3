//! The header of a message: an ordered list of fields (RFC 3261 7.3).

use super::header_name::HeaderName;
use super::scan::split_list;

/// One header line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// The name of the field.
    pub name: HeaderName,
    /// The value as received, without the white space around it and with folds replaced by one space.
    pub value: String,
}

/// Header fields in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Headers(Vec<Header>);

impl Headers {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn with_capacity(lines: usize) -> Self {
        Self(Vec::with_capacity(lines))
    }

    /// Appends a line.
    pub fn push(&mut self, name: HeaderName, value: impl Into<String>) {
        self.0.push(Header { name, value: value.into() });
    }

    /// Puts a line before all others, as a new Via must be.
    pub fn push_front(&mut self, name: HeaderName, value: impl Into<String>) {
        self.0.insert(0, Header { name, value: value.into() });
    }

    /// Replaces the first line of this name and removes the others; appends if there is none.
    pub fn set(&mut self, name: HeaderName, value: impl Into<String>) {
        let at = self.0.iter().position(|header| header.name == name);
        self.remove(&name);
        self.0.insert(at.unwrap_or(self.0.len()), Header { name, value: value.into() });
    }

    /// Removes all lines of this name; returns how many there were.
    pub fn remove(&mut self, name: &HeaderName) -> usize {
        let before = self.0.len();
        self.0.retain(|header| header.name != *name);
        before - self.0.len()
    }

    /// Replaces the first element of the first line of this name, whatever else the line holds; appends if there is
    /// no such line.
    pub fn replace_first_element(&mut self, name: &HeaderName, element: &str) {
        let Some(header) = self.0.iter_mut().find(|header| header.name == *name) else {
            return self.push(name.clone(), element);
        };
        let first_bytes = super::scan::unquoted_position(&header.value, b',').unwrap_or(header.value.len());
        header.value.replace_range(..first_bytes, element);
    }

    /// Appends copies of all lines of this name, in order.
    pub fn copy_from(&mut self, other: &Self, name: &HeaderName) {
        self.0.extend(other.0.iter().filter(|header| header.name == *name).cloned());
    }

    /// The value of the first line of this name.
    pub fn first(&self, name: &HeaderName) -> Option<&str> {
        self.0.iter().find(|header| header.name == *name).map(|header| header.value.as_str())
    }

    /// The values of all lines of this name, each as received: a line may hold a list.
    pub fn all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |header| header.name == *name).map(|header| header.value.as_str())
    }

    /// The elements of a field whose value is a list (RFC 3261 7.3.1): commas and lines separate them alike. Empty
    /// elements are left out.
    pub fn elements<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a str> {
        self.all(name).flat_map(split_list).filter(|element| !element.is_empty())
    }

    /// Whether a line of this name is there.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.first(name).is_some()
    }

    /// All lines, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.0.iter()
    }

    /// The number of lines.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers() -> Headers {
        let mut headers = Headers::new();
        headers.push(HeaderName::Via, "SIP/2.0/UDP a;x=\"1,2\", SIP/2.0/UDP b");
        headers.push(HeaderName::To, "<sip:a>");
        headers.push(HeaderName::Via, "SIP/2.0/UDP c");
        headers
    }

    #[test]
    fn elements_go_through_lists_and_lines() {
        let headers = headers();
        let vias: Vec<_> = headers.elements(&HeaderName::Via).collect();
        assert_eq!(vias, ["SIP/2.0/UDP a;x=\"1,2\"", "SIP/2.0/UDP b", "SIP/2.0/UDP c"]);
        assert_eq!(headers.all(&HeaderName::Via).count(), 2);
        assert_eq!(headers.first(&HeaderName::From), None);
    }

    #[test]
    fn the_first_element_is_replaced_alone() {
        let mut headers = headers();
        headers.replace_first_element(&HeaderName::Via, "SIP/2.0/UDP z");
        assert_eq!(headers.first(&HeaderName::Via), Some("SIP/2.0/UDP z, SIP/2.0/UDP b"));
        headers.replace_first_element(&HeaderName::Route, "<sip:r>");
        assert_eq!(headers.first(&HeaderName::Route), Some("<sip:r>"));
    }

    #[test]
    fn set_keeps_the_place_of_the_first() {
        let mut headers = headers();
        headers.set(HeaderName::Via, "SIP/2.0/UDP z");
        headers.set(HeaderName::Subject, "s");
        headers.push_front(HeaderName::Route, "<sip:r>");
        let names: Vec<_> = headers.iter().map(|h| h.name.as_str()).collect();
        assert_eq!(names, ["Route", "Via", "To", "Subject"]);
        assert_eq!(headers.remove(&HeaderName::Via), 1);
        assert!(!headers.contains(&HeaderName::Via));
        let mut copy = Headers::new();
        copy.copy_from(&self::headers(), &HeaderName::Via);
        assert_eq!((copy.len(), copy.is_empty()), (2, false));
    }
}
