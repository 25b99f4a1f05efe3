//! The texts of a dialogue: prompts with their placeholders, and lexicons.

use std::collections::BTreeMap;

use toml::Spanned;

use super::raw::{RawScript, Texts};
use super::{MAX_TEXT_CHARS, Reader};
use crate::mind::script::format::Piece;
use crate::mind::speech::{Form, Language};

impl Reader<'_> {
    pub(super) fn lexicons(
        &mut self,
        raw: &RawScript,
        languages: &[Language],
    ) -> BTreeMap<String, BTreeMap<String, Texts>> {
        let mut lexicons = BTreeMap::new();
        for (name, words) in &raw.lexicon {
            for (word, texts) in words {
                self.languages(&format!("[lexicon.{name}] {word}"), texts, languages);
            }
            let words = words.iter().map(|(word, texts)| (word.clone(), texts.get_ref().clone()));
            lexicons.insert(name.clone(), words.collect());
        }
        lexicons
    }

    fn languages(&mut self, key: &str, texts: &Spanned<Texts>, languages: &[Language]) {
        for (language, text) in texts.get_ref() {
            if text.chars().count() > MAX_TEXT_CHARS {
                let message =
                    format!("is longer than {MAX_TEXT_CHARS} characters; split it into several prompts");
                self.fault(texts.span(), &format!("{key} {language}"), message);
            }
        }
        for language in languages {
            if texts.get_ref().get(language).is_none_or(|text| text.trim().is_empty()) {
                self.fault(
                    texts.span(),
                    key,
                    format!("needs a text for `{language}`, for which the agent has a voice"),
                );
            }
        }
    }

    pub(super) fn prompt(
        &mut self,
        name: &str,
        texts: &Spanned<Texts>,
        languages: &[Language],
        lexicons: &BTreeMap<String, BTreeMap<String, Texts>>,
    ) -> BTreeMap<Language, Vec<Piece>> {
        let key = format!("[prompt.{name}]");
        self.languages(&key, texts, languages);
        let mut prompt = BTreeMap::new();
        for (language, text) in texts.get_ref() {
            match pieces((*language, text), languages, lexicons) {
                Ok(pieces) => drop(prompt.insert(*language, pieces)),
                Err(message) => self.fault(texts.span(), &format!("{key} {language}"), message),
            }
        }
        prompt
    }
}

/// Splits a prompt's text at its placeholders.
fn pieces(
    (language, text): (Language, &str),
    voiced: &[Language],
    lexicons: &BTreeMap<String, BTreeMap<String, Texts>>,
) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        fixed(before, language, &mut pieces);
        let (inside, after) = behind.split_once('}').ok_or("has a { without }")?;
        if let Some((foreign, text)) = foreign(inside) {
            if !voiced.contains(&foreign) {
                return Err(format!("is partly in `{foreign}`, for which the agent has no voice"));
            }
            fixed(text, foreign, &mut pieces);
            rest = after;
            continue;
        }
        let (path, form) = inside.split_once(':').ok_or_else(|| {
            format!("{{{inside}}} does not say how to speak it; write {{{inside}:spell}}, number, date, amount or lexicon.NAME")
        })?;
        let path = path.trim().to_owned();
        let piece = match form.trim().strip_prefix("lexicon.") {
            Some(name) if lexicons.contains_key(name) => Piece::Word { path, lexicon: name.to_owned() },
            Some(name) => return Err(format!("there is no lexicon `{name}`; add [lexicon.{name}]")),
            None => {
                let known = Form::ALL.into_iter().find(|(name, _)| *name == form.trim());
                let (_, form) = known.ok_or_else(|| {
                    format!("{form:?} is no way to speak; write spell, number, date, amount or lexicon.NAME")
                })?;
                Piece::Value { path, form }
            }
        };
        pieces.push(piece);
        rest = after;
    }
    fixed(rest, language, &mut pieces);
    Ok(pieces)
}

/// A sentence in another language than the rest: `en:For English, press eight.`
fn foreign(inside: &str) -> Option<(Language, &str)> {
    let (code, text) = inside.split_once(':')?;
    Some((Language::from_code(code.trim())?, text))
}

/// A piece that has something to pronounce. What stands before its first letter belongs to the value before it, and a
/// synthesizer may read it aloud.
fn fixed(text: &str, language: Language, pieces: &mut Vec<Piece>) {
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric()).trim_end();
    if !text.is_empty() {
        pieces.push(Piece::Fixed { language, text: text.to_owned() });
    }
}
