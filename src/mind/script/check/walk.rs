//! What only a walk through all states shows: states that nobody reaches, and loops without an end.

use super::Reader;
use super::raw::RawScript;
use crate::mind::script::format::{GlobalKey, Script};

impl Reader<'_> {
    /// Faults that only a walk through all states shows.
    pub(super) fn walk(&mut self, script: &Script, raw: &RawScript) {
        let mut reached = vec![false; script.states.len()];
        let mut open = vec![script.start];
        open.extend(script.keys.iter().filter_map(|(_, key)| match key {
            GlobalKey::GoTo(to) => Some(*to),
            GlobalKey::Repeat => None,
        }));
        while let Some(at) = open.pop() {
            if let Some(state) = script.states.get(at).filter(|_| !std::mem::replace(&mut reached[at], true))
            {
                open.extend(state.kind.automatic().into_iter().chain(state.kind.by_caller()));
                open.push(state.give_up);
            }
        }
        for (index, (name, state)) in raw.state.iter().enumerate() {
            let key = format!("[state.{name}]");
            if !reached.get(index).copied().unwrap_or_default() {
                self.fault(state.span(), &key, "is never reached: lead to it or remove it".to_owned());
            } else if loops(script, index) {
                let message = "leads back to itself although the caller does nothing right: let `give_up` or `next` end in a `hang_up`";
                self.fault(state.span(), &key, message.to_owned());
            }
        }
    }
}

/// Whether a state can come back to itself by giving up and by what needs no key.
fn loops(script: &Script, from: usize) -> bool {
    let mut seen = vec![false; script.states.len()];
    let mut open = vec![from];
    let mut is_first = true;
    while let Some(at) = open.pop() {
        if at == from && !is_first {
            return true;
        }
        let Some(state) =
            script.states.get(at).filter(|_| is_first || !std::mem::replace(&mut seen[at], true))
        else {
            continue;
        };
        is_first = false;
        open.extend(state.kind.automatic());
        if state.kind.is_tried() {
            open.push(state.give_up);
        }
    }
    false
}
