//! Under which conditions callers are heard.

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// Its name in reports.
    pub name: &'static str,
    /// What is heard around the caller.
    pub(super) around: Around,
    /// So many dB softer than the caller.
    pub(super) below_db: f32,
    /// How much louder than the usual the caller is, in dB.
    pub(super) louder_db: f32,
    /// What becomes of the sound on its way.
    pub(super) line: Line,
    /// Which trials there are.
    pub(super) trials: Trials,
}

/// What is heard around a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Around {
    Quiet,
    White,
    Car,
    /// So many who talk at once, up to eight.
    Crowd(u8),
    Clicks,
    Music,
    Ringback,
    Hum,
    Dtmf,
    CallingFax,
    AnsweringFax,
    Baby,
}

/// What becomes of the sound on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Line {
    Plain,
    /// 3 % of the packets are lost, the others have 30 ms of jitter.
    Lossy,
    /// The agent comes back, so many dB softer.
    Echo(f32),
    /// Far too loud.
    Clipped,
    /// With an offset.
    Shifted,
}

/// Which trials a condition has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trials {
    /// Callers who say something, and callers who do not.
    All,
    /// Only calls in which nobody says anything.
    Nobody,
}

/// All conditions, in the order of the report.
pub const CONDITIONS: &[Condition] = &[
    with("clean", Around::Quiet, 0.0, Line::Plain),
    spoken("soft", -15.0),
    spoken("loud", 10.0),
    with("white-20", Around::White, 20.0, Line::Plain),
    with("white-10", Around::White, 10.0, Line::Plain),
    with("car-20", Around::Car, 20.0, Line::Plain),
    with("car-10", Around::Car, 10.0, Line::Plain),
    with("babble-20", Around::Crowd(8), 20.0, Line::Plain),
    with("babble-10", Around::Crowd(8), 10.0, Line::Plain),
    with("talkers-2", Around::Crowd(2), 10.0, Line::Plain),
    with("talkers-3", Around::Crowd(3), 10.0, Line::Plain),
    with("talkers-4", Around::Crowd(4), 10.0, Line::Plain),
    with("clicks", Around::Clicks, 0.0, Line::Plain),
    with("music-20", Around::Music, 20.0, Line::Plain),
    with("hum", Around::Hum, 10.0, Line::Plain),
    with("echo-20", Around::Quiet, 0.0, Line::Echo(20.0)),
    with("echo-30", Around::Quiet, 0.0, Line::Echo(30.0)),
    with("echo-40", Around::Quiet, 0.0, Line::Echo(40.0)),
    with("lossy", Around::Quiet, 0.0, Line::Lossy),
    with("babble-10-lossy", Around::Crowd(8), 10.0, Line::Lossy),
    with("clipped", Around::Quiet, 0.0, Line::Clipped),
    with("dc-shifted", Around::Quiet, 0.0, Line::Shifted),
    alone("silence", Around::Quiet),
    alone("hold-music", Around::Music),
    alone("ringback", Around::Ringback),
    alone("dtmf-tones", Around::Dtmf),
    alone("fax-cng", Around::CallingFax),
    alone("fax-ced", Around::AnsweringFax),
    alone("baby", Around::Baby),
];

const fn with(name: &'static str, around: Around, below_db: f32, line: Line) -> Condition {
    Condition { name, around, below_db, louder_db: 0.0, line, trials: Trials::All }
}

const fn spoken(name: &'static str, louder_db: f32) -> Condition {
    Condition { louder_db, ..with(name, Around::Quiet, 0.0, Line::Plain) }
}

const fn alone(name: &'static str, around: Around) -> Condition {
    Condition { trials: Trials::Nobody, ..with(name, around, 0.0, Line::Plain) }
}
