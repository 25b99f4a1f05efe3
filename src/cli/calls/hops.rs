//! Steps on the way to an answer, in words.

use super::columns::printable;
use super::events::at;
use crate::call::hop::HopEvent;

/// The step as a line of the log.
pub(super) fn described(event: &HopEvent) -> String {
    match event {
        HopEvent::Mark { turn, mark, at_us, utterance, provider } => {
            let by = provider.as_ref().map_or_else(String::new, |provider| format!(" by {provider}"));
            let whose = utterance.map_or_else(String::new, |utterance| format!(" with {utterance}"));
            let when = at_us.map_or_else(String::new, |time| format!(" at {}", at(time.0)));
            format!("turn {turn}: {mark}{by}{whose}{when}")
        }
        HopEvent::Transcript { turn, text, word_times_ms: _, language, is_committed } => {
            let language = language.as_ref().map_or_else(String::new, |tag| format!(" ({tag})"));
            let rest = if *is_committed { "" } else { ", which needs no answer" };
            format!("the caller said in turn {turn}{language}{rest}: {text}")
        }
        HopEvent::HeardText { utterance, text } => format!("of {utterance} was heard: {text}"),
        HopEvent::Uses { hop, provider, request_id } => format!("{hop} by {provider}{}", id(request_id)),
        HopEvent::Fault { hop, provider, kind, detail, request_id } => {
            format!("{hop} by {provider} failed, {kind}: {detail}{}", id(request_id))
        }
        HopEvent::Usage { hop, provider, unit, count } => {
            format!("{hop} by {provider} has used {count} {unit}")
        }
        HopEvent::OverBudget { turn, hop, budget_ms, took_ms } => {
            format!("turn {turn}: {hop} took {took_ms} ms where {budget_ms} are allowed")
        }
        HopEvent::Audio { hop, untouched, recoded, resampled } => {
            format!("{hop} audio in samples: {untouched} untouched, {recoded} recoded, {resampled} resampled")
        }
        HopEvent::GaveUp { hop } => format!("nobody is left for {hop}, the agent goes on by its script"),
        HopEvent::GuardrailTripped { turn, list, rule, text, heard_ms } => {
            let by = format!("{} {rule}", list.word());
            format!("turn {turn}: withheld by {by} after {heard_ms} ms of it were heard: {text}")
        }
    }
}

/// Whether the step stands in the conversation as a line of its own: who was asked, and what went wrong. Words stand in the turns, and times in
/// the waterfall.
pub(super) fn is_in_dialogue(event: &HopEvent) -> bool {
    match event {
        HopEvent::Uses { .. }
        | HopEvent::Fault { .. }
        | HopEvent::OverBudget { .. }
        | HopEvent::GaveUp { .. }
        | HopEvent::GuardrailTripped { .. } => true,
        HopEvent::Mark { .. }
        | HopEvent::Transcript { .. }
        | HopEvent::HeardText { .. }
        | HopEvent::Usage { .. }
        | HopEvent::Audio { .. } => false,
    }
}

/// The step as a line of the conversation: the column of who speaks names the hop.
pub(super) fn in_dialogue(event: &HopEvent) -> (&'static str, String) {
    let (hop, text) = match event {
        HopEvent::Uses { hop, provider, request_id } => (hop, format!("by {provider}{}", id(request_id))),
        HopEvent::Fault { hop, provider, kind, detail, request_id } => {
            (hop, format!("{provider} failed, {kind}: {detail}{}", id(request_id)))
        }
        HopEvent::OverBudget { turn, hop, budget_ms, took_ms } => {
            (hop, format!("took {took_ms} ms in turn {turn} where {budget_ms} are allowed"))
        }
        HopEvent::GaveUp { hop } => (hop, "nobody is left, the agent goes on by its script".to_owned()),
        HopEvent::GuardrailTripped { list, rule, text, heard_ms, .. } => {
            let heard = if *heard_ms == 0 { String::new() } else { format!(" after {heard_ms} ms") };
            return ("guardrail", printable(&format!("{} {rule} withheld{heard}: {text}", list.word())));
        }
        HopEvent::Mark { .. }
        | HopEvent::Transcript { .. }
        | HopEvent::HeardText { .. }
        | HopEvent::Usage { .. }
        | HopEvent::Audio { .. } => return ("server", printable(&described(event))),
    };
    (hop.word(), printable(&text))
}

fn id(id: &Option<String>) -> String {
    id.as_ref().map_or_else(String::new, |id| format!(", request {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::hop::RuleList;

    #[test]
    fn what_was_withheld_is_shown_with_its_rule() {
        let event = |heard_ms| HopEvent::GuardrailTripped {
            turn: 3,
            list: RuleList::NeverSayPatterns,
            rule: 2,
            text: "It is 4111\u{1b}[2J".to_owned(),
            heard_ms,
        };
        let unheard = ("guardrail", "never_say_patterns 2 withheld: It is 4111\u{fffd}[2J".to_owned());
        assert_eq!(in_dialogue(&event(0)), unheard);
        assert!(in_dialogue(&event(340)).1.starts_with("never_say_patterns 2 withheld after 340 ms: "));
        assert!(is_in_dialogue(&event(0)));
        assert!(described(&event(340)).starts_with("turn 3: withheld by never_say_patterns 2 after 340 ms"));
    }
}
