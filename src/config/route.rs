//! `[[route]]`: which call goes where. The first route that matches wins.

use ipnet::IpNet;

use super::number::NumberPattern;
use super::table::{Table, boolean, network, text};
use super::trunk::Trunk;

/// A rule that leads calls to a destination. What is not said matches everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Calls of this trunk only.
    pub trunk: Option<String>,
    /// Calls from this network only.
    pub source: Option<IpNet>,
    /// Calls to these numbers.
    pub number: NumberPattern,
    /// Name of the destination.
    pub destination: String,
    /// Whether the calls are recorded.
    pub record: bool,
}

impl Route {
    /// Whether every call that `other` matches is matched by this too.
    pub fn covers(&self, other: &Self) -> bool {
        let covers_trunk = self.trunk.is_none() || self.trunk == other.trunk;
        let covers_source = match (&self.source, &other.source) {
            (None, _) => true,
            (Some(wide), Some(narrow)) => wide.contains(narrow),
            (Some(_), None) => false,
        };
        covers_trunk && covers_source && self.number.covers(&other.number)
    }
}

/// Reads the routes and holds each against the trunks, the destinations and the routes before it.
pub(super) fn read(tables: Vec<Table<'_>>, trunks: &[Trunk], destinations: &[&str]) -> Vec<Route> {
    let mut routes: Vec<(usize, Route)> = Vec::new();
    for mut table in tables {
        let trunk = table.get("trunk", |value| known_trunk(text(value)?, trunks));
        let source = table.get("source", network);
        let number =
            table.require("number", |value| text(value).and_then(|text| NumberPattern::parse(&text)));
        let destination = table.require("destination", |value| known_destination(text(value)?, destinations));
        let record = table.get("record", boolean).unwrap_or(false);
        let is_sound = table.has("trunk") == trunk.is_some() && table.has("source") == source.is_some();
        if let (Some(number), Some(destination), true) = (number, destination, is_sound) {
            let route = Route { trunk, source, number, destination, record };
            check(&route, trunks, &routes, &table);
            routes.push((table.line(), route));
        }
        table.finish();
    }
    routes.into_iter().map(|(_, route)| route).collect()
}

fn check(route: &Route, trunks: &[Trunk], earlier: &[(usize, Route)], table: &Table<'_>) {
    if let Some((line, _)) = earlier.iter().find(|(_, other)| other.covers(route)) {
        table.fault(format!(
            "never matches: the route in line {line} takes all its calls; move this one above it"
        ));
    }
    let trunk = trunks.iter().find(|trunk| Some(&trunk.name) == route.trunk.as_ref());
    if let (Some(source), Some(trunk)) = (&route.source, trunk) {
        let touches = |net: &IpNet| net.contains(source) || source.contains(net);
        if !trunk.signaling.iter().any(touches) && !trunk.signaling.is_empty() {
            let message = format!("never matches: trunk \"{}\" does not call from there", trunk.name);
            table.fault_at("source", message);
        }
    }
}

fn known_trunk(name: String, trunks: &[Trunk]) -> Result<String, String> {
    let names: Vec<&str> =
        trunks.iter().map(|trunk| trunk.name.as_str()).filter(|name| !name.is_empty()).collect();
    if names.contains(&name.as_str()) {
        return Ok(name);
    }
    Err(if names.is_empty() {
        "is no trunk: there is no [[trunk]]".to_owned()
    } else {
        format!("is no trunk; there are {}", names.join(", "))
    })
}

fn known_destination(name: String, destinations: &[&str]) -> Result<String, String> {
    if destinations.contains(&name.as_str()) {
        return Ok(name);
    }
    let distance = |known: &&&str| strsim::damerau_levenshtein(known, &name);
    let is_near = |known: &&&str| distance(known) <= MAX_TYPOS;
    let candidates = destinations.iter().filter(|_| name.len() <= MAX_NAME);
    Err(match candidates.min_by_key(distance).filter(is_near) {
        Some(near) => format!("is no destination; did you mean `{near}`?"),
        None => format!("is no destination; there are {}", destinations.join(", ")),
    })
}

/// Letters that may be wrong in a destination that is still recognised; the shortest names have four.
const MAX_TYPOS: usize = 2;

/// No destination's name is longer.
const MAX_NAME: usize = 80;
