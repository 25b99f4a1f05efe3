//! A call to an agent that listens, thinks and speaks by providers.

use super::{numbered, opened, said};
use crate::call::cause::HangupCause;
use crate::call::dialogue::Dialogue;
use crate::call::hop::{Hop, HopEvent, Mark, RuleList};
use crate::call::log::{CallId, CallTime, Ended, Event, Record};

/// Two turns: one that is answered at once, and one with a fault, a filler, a tool and an interruption. Then a word that is no turn.
pub(crate) fn cascade_call(call: CallId) -> Vec<Record> {
    let mut events = vec![
        (0, opened(call)),
        (2, Event::Answered),
        (40, Event::Dialogue(Dialogue::Agent { name: "Caly".to_owned() })),
        (40, said(1, "नमस्ते! मैं कैली हूँ।", "hi-IN")),
        (60, hop(HopEvent::Uses { hop: Hop::Asr, provider: "ears".to_owned(), request_id: None })),
        (2_000, Event::Dialogue(Dialogue::Heard { utterance: 1 })),
    ];
    events.extend(quick_turn());
    events.extend(slow_turn());
    events.extend([
        (12_940, spoke(300)),
        (13_500, Event::Dialogue(Dialogue::SpeechDismissed)),
        (13_500, transcript(2, "haan", false)),
        (13_900, hop(usage())),
    ]);
    let ended = Ended { cause: HangupCause::RemoteBye, status: Some(200), reason: None, talk_ms: 13_998 };
    events.push((14_000, Event::Ended(ended)));
    numbered(call, events)
}

fn quick_turn() -> Vec<(u64, Event)> {
    vec![
        (3_000, Event::Dialogue(Dialogue::SpeechStarted)),
        (3_400, mark(0, Mark::SttPartial, 3_400, Some("ears"))),
        (4_200, spoke(1_000)),
        (4_600, mark(0, Mark::MediaIn, 4_000, None)),
        (4_600, committed(0, 600)),
        (4_600, mark(0, Mark::SttFinal, 4_150, Some("ears"))),
        (4_600, transcript(0, "मेरा ऑर्डर कहाँ है", true)),
        (4_602, mark(0, Mark::LlmStart, 4_602, None)),
        (4_950, mark(0, Mark::LlmToken, 4_950, Some("groq"))),
        (5_000, mark(0, Mark::TtsStart, 5_000, None)),
        (5_150, sound(0, Mark::TtsFrame, 5_150, 2)),
        (5_160, said(2, "आपका ऑर्डर रास्ते में है।", "hi-IN")),
        (5_180, sound(0, Mark::MediaOut, 5_180, 2)),
        (5_300, mark(0, Mark::LlmEnd, 5_300, Some("groq"))),
        (6_000, mark(0, Mark::TtsEnd, 6_000, None)),
        (7_000, Event::Dialogue(Dialogue::Heard { utterance: 2 })),
    ]
}

fn slow_turn() -> Vec<(u64, Event)> {
    let fault = HopEvent::Fault {
        hop: Hop::Llm,
        provider: "groq".to_owned(),
        kind: "timeout".to_owned(),
        detail: "no token for 1 s".to_owned(),
        request_id: Some("req-7".to_owned()),
    };
    let over_budget = HopEvent::OverBudget { turn: 1, hop: Hop::Llm, budget_ms: 700, took_ms: 1_299 };
    let name = || "cancel_order".to_owned();
    let answer = "{\"result\":\"done\"}".to_owned();
    let cut = Dialogue::BargeIn { utterance: 4, heard_ms: 780, by: "speech".to_owned() };
    vec![
        (8_000, Event::Dialogue(Dialogue::SpeechStarted)),
        (8_300, mark(1, Mark::SttPartial, 8_300, Some("ears"))),
        (9_200, spoke(1_000)),
        (9_600, mark(1, Mark::MediaIn, 9_000, None)),
        (9_600, committed(1, 600)),
        (9_600, mark(1, Mark::SttFinal, 9_100, Some("ears"))),
        (9_600, transcript(1, "cancel kar do", true)),
        (9_601, mark(1, Mark::LlmStart, 9_601, None)),
        (10_600, hop(fault)),
        (10_700, said(3, "Ek second.", "hi-IN")),
        (10_700, sound(1, Mark::MediaOut, 10_700, 3)),
        (10_900, mark(1, Mark::LlmToken, 10_900, Some("openai"))),
        (10_900, hop(over_budget)),
        (11_000, Event::Dialogue(Dialogue::ToolCalled { name: name(), arguments: "{}".to_owned() })),
        (11_440, Event::Dialogue(Dialogue::ToolAnswered { name: name(), answer, took_ms: 440, is_ok: true })),
        (11_900, mark(1, Mark::TtsStart, 11_900, None)),
        (12_000, Event::Dialogue(Dialogue::Heard { utterance: 3 })),
        (12_100, sound(1, Mark::TtsFrame, 12_100, 4)),
        (12_120, said(4, "It is cancelled, the money comes back.", "en-IN")),
        (12_640, Event::Dialogue(Dialogue::SpeechStarted)),
        (12_900, Event::Dialogue(cut)),
        (12_900, hop(HopEvent::HeardText { utterance: 4, text: "It is cancelled,".to_owned() })),
        (12_920, Event::Dialogue(Dialogue::DrySlots { cause: "mind".to_owned(), count: 2 })),
    ]
}

fn usage() -> HopEvent {
    let (provider, unit) = ("groq".to_owned(), "output_tokens".to_owned());
    HopEvent::Usage { hop: Hop::Llm, provider, unit, count: 61 }
}

/// Every kind of step once.
pub(super) fn one_of_each_hop() -> [Event; 10] {
    let (hop_kind, provider) = (Hop::Tts, || "mouth".to_owned());
    let [kind, detail] = ["refused", "401 Unauthorized"].map(str::to_owned);
    let fault = HopEvent::Fault { hop: hop_kind, provider: provider(), kind, detail, request_id: None };
    let request_id = Some("req-1".to_owned());
    [
        mark(0, Mark::SttFinal, 5_400, Some("ears")),
        transcript(0, "haan ji", true),
        hop(HopEvent::HeardText { utterance: 1, text: "Please".to_owned() }),
        hop(HopEvent::Uses { hop: hop_kind, provider: provider(), request_id }),
        hop(fault),
        hop(usage()),
        hop(HopEvent::OverBudget { turn: 0, hop: hop_kind, budget_ms: 300, took_ms: 420 }),
        hop(HopEvent::Audio { hop: hop_kind, untouched: 8_000, recoded: 160, resampled: 0 }),
        hop(HopEvent::GaveUp { hop: hop_kind }),
        hop(HopEvent::GuardrailTripped {
            turn: 0,
            list: RuleList::NeverSay,
            rule: 2,
            text: "We guarantee it.".to_owned(),
            heard_ms: 340,
        }),
    ]
}

fn hop(event: HopEvent) -> Event {
    Event::Dialogue(Dialogue::Hop(event))
}

fn mark(turn: u32, mark: Mark, at_ms: u64, provider: Option<&str>) -> Event {
    let (at_us, provider) = (Some(CallTime(at_ms * 1_000)), provider.map(str::to_owned));
    hop(HopEvent::Mark { turn, mark, at_us, utterance: None, provider })
}

fn sound(turn: u32, mark: Mark, at_ms: u64, utterance: u64) -> Event {
    let provider = (mark == Mark::TtsFrame).then(|| "mouth".to_owned());
    let (at_us, utterance) = (Some(CallTime(at_ms * 1_000)), Some(utterance));
    hop(HopEvent::Mark { turn, mark, at_us, utterance, provider })
}

fn transcript(turn: u32, text: &str, is_committed: bool) -> Event {
    hop(HopEvent::Transcript {
        turn,
        text: text.to_owned(),
        word_times_ms: Vec::new(),
        language: Some("hi-IN".to_owned()),
        is_committed,
    })
}

fn spoke(duration_ms: u64) -> Event {
    Event::Dialogue(Dialogue::SpeechEnded { duration_ms })
}

fn committed(turn: u32, silence_ms: u64) -> Event {
    let why = "words".to_owned();
    Event::Dialogue(Dialogue::TurnCommitted { speech_ms: 1_000, why, silence_ms, turn: Some(turn) })
}
