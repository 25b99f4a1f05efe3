//! What agents of the tests have in common, whatever thinks for them.

use std::sync::{Arc, Mutex};

use caly::mind::conversation::{Line, Lines};
use caly::mind::speech::{Clips, Language};

/// What it says by itself.
pub(crate) fn lines() -> Lines {
    let line = |text: &str| Line(Language::ALL.map(|language| (language, text.to_owned())).into());
    Lines {
        greeting: line("Namaste!"),
        fillers: vec![line("Ek minute."), line("Bas ek second.")],
        trouble: line("Phir se boliye."),
        not_understood: line("Sunai nahi diya."),
        idle: line("Aap wahan hain?"),
        sorry: line("Maaf kijiye."),
        goodbye: line("Dhanyavaad."),
        withheld: line("Yeh main nahi bata sakti."),
    }
}

/// Every line is audio, of half a second.
#[derive(Debug)]
pub(crate) struct Clicks;

impl Clips for Clicks {
    fn clip(&self, _language: Language, _text: &str) -> Option<Arc<[i16]>> {
        static CLIP: Mutex<Option<Arc<[i16]>>> = Mutex::new(None);
        Some(Arc::clone(CLIP.lock().unwrap().get_or_insert_with(|| vec![1_000; 4_000].into())))
    }
}

/// The script by which it goes on when nobody is left to think.
pub(crate) const FALLBACK: &str = include_str!("fallback.toml");
