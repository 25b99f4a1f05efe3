//! What simulated language models say: rules on the last thing they were told, streamed token by token, with usage counted.

use std::time::Duration;

/// A model that follows rules.
#[derive(Clone, Debug)]
pub struct Model {
    rules: Vec<Rule>,
    otherwise: Vec<Part>,
    pace: TokenPace,
    /// What was read before, for the cache.
    read: Vec<Vec<String>>,
    cache_from: usize,
    answers: u64,
}

/// How fast tokens come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenPace {
    /// From the request to the first.
    pub first: Duration,
    /// From one to the next.
    pub each: Duration,
}

/// What is said to what. A rule fits if all that it asks for is so.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    heard: Option<Heard>,
    offered: Option<String>,
    parts: Vec<Part>,
    times: Option<usize>,
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words.
    Text(String),
    /// A call of a tool.
    Call {
        /// Its name.
        name: String,
        /// Its arguments: a JSON object as text.
        arguments: String,
    },
}

/// The last thing that a model was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// By the user.
    User(String),
    /// By a tool.
    Tool(String),
}

/// A request as far as rules look at it.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The last thing.
    pub heard: Heard,
    /// Names of the tools on offer.
    pub tools: Vec<&'a str>,
    /// All that the model reads, in its order, for usage and the cache.
    pub reads: Vec<String>,
    /// The most tokens that it may answer with.
    pub max_tokens: usize,
}

/// An answer, token by token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streamed {
    /// What comes when.
    pub tokens: Vec<(Duration, Token)>,
    /// When it is over.
    pub end: Duration,
    /// Whether it was cut at the limit.
    pub is_cut: bool,
    /// What it cost.
    pub usage: Usage,
}

/// A step of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// Words.
    Text(String),
    /// A call of a tool begins.
    Call {
        /// Its id, unique for this model.
        id: u64,
        /// Its name.
        name: String,
    },
    /// More of the arguments of the last call.
    Arguments(String),
}

/// Tokens read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All that were read.
    pub input: usize,
    /// Of these, how many were known from before.
    pub cached: usize,
    /// Written.
    pub output: usize,
}

impl Rule {
    /// A rule for a user who says this, in any case of letters.
    pub fn user(says: &str) -> Self {
        Self { heard: Some(Heard::User(says.to_lowercase())), ..Self::default() }
    }

    /// A rule for a tool that answers this.
    pub fn tool(answers: &str) -> Self {
        Self { heard: Some(Heard::Tool(answers.to_lowercase())), ..Self::default() }
    }

    /// A rule for everything.
    pub fn always() -> Self {
        Self::default()
    }

    /// Only if this tool is on offer.
    #[must_use]
    pub fn offered(mut self, tool: &str) -> Self {
        self.offered = Some(tool.to_owned());
        self
    }

    /// Only so often.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// Says this.
    #[must_use]
    pub fn say(mut self, text: &str) -> Self {
        self.parts.push(Part::Text(text.to_owned()));
        self
    }

    /// Calls this.
    #[must_use]
    pub fn call(mut self, name: &str, arguments: &str) -> Self {
        self.parts.push(Part::Call { name: name.to_owned(), arguments: arguments.to_owned() });
        self
    }

    fn fits(&self, question: &Question<'_>) -> bool {
        let is_heard = match (&self.heard, &question.heard) {
            (None, _) => true,
            (Some(Heard::User(wanted)), Heard::User(said))
            | (Some(Heard::Tool(wanted)), Heard::Tool(said)) => said.to_lowercase().contains(wanted),
            (Some(Heard::User(_)), Heard::Tool(_)) | (Some(Heard::Tool(_)), Heard::User(_)) => false,
        };
        let is_offered = self.offered.as_ref().is_none_or(|tool| question.tools.contains(&tool.as_str()));
        is_heard && is_offered && self.times != Some(0)
    }
}

impl Default for TokenPace {
    fn default() -> Self {
        Self { first: Duration::from_millis(300), each: Duration::from_millis(20) }
    }
}

impl Model {
    /// A model with these rules, of which the first that fits is taken.
    pub fn new(rules: impl IntoIterator<Item = Rule>, pace: TokenPace) -> Self {
        Self {
            rules: rules.into_iter().collect(),
            otherwise: vec![Part::Text("I have no rule for that.".to_owned())],
            pace,
            read: Vec::new(),
            cache_from: 1_024,
            answers: 0,
        }
    }

    /// The same that counts a repeated beginning as cached from so many tokens on.
    #[must_use]
    pub fn caching_from(mut self, tokens: usize) -> Self {
        self.cache_from = tokens;
        self
    }

    /// Answers.
    pub fn answer(&mut self, now: Duration, question: &Question<'_>) -> Streamed {
        let parts = self.follow(question);
        let mut tokens: Vec<Token> = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => tokens.extend(pieces(&text).map(Token::Text)),
                Part::Call { name, arguments } => {
                    self.answers += 1;
                    tokens.push(Token::Call { id: self.answers, name });
                    let letters: Vec<_> = arguments.chars().collect();
                    tokens.extend(letters.chunks(8).map(|piece| Token::Arguments(piece.iter().collect())));
                }
            }
        }
        let is_cut = tokens.len() > question.max_tokens;
        tokens.truncate(question.max_tokens);
        let usage = Usage { output: tokens.len(), ..self.read(&question.reads) };
        let at = |number: usize| {
            now + self.pace.first + self.pace.each * u32::try_from(number).unwrap_or(u32::MAX)
        };
        let end = at(tokens.len());
        let tokens = tokens.into_iter().enumerate().map(|(number, token)| (at(number), token)).collect();
        Streamed { tokens, end, is_cut, usage }
    }

    fn follow(&mut self, question: &Question<'_>) -> Vec<Part> {
        let Some(rule) = self.rules.iter_mut().find(|rule| rule.fits(question)) else {
            let line = verbatim(&question.heard).map(|line| vec![Part::Text(line)]);
            return line.unwrap_or_else(|| self.otherwise.clone());
        };
        rule.times = rule.times.map(|times| times - 1);
        rule.parts.clone()
    }

    fn read(&mut self, reads: &[String]) -> Usage {
        let tokens = |texts: &[String]| texts.iter().map(|text| text.len().div_ceil(4)).sum::<usize>();
        let same = |before: &Vec<String>| before.iter().zip(reads).take_while(|(a, b)| a == b).count();
        let longest = self.read.iter().map(same).max().unwrap_or(0);
        let cached = tokens(&reads[..longest]);
        if self.read.len() == MAX_READ {
            self.read.remove(0);
        }
        self.read.push(reads.to_vec());
        let cached = if cached < self.cache_from { 0 } else { cached };
        Usage { input: tokens(reads), cached, output: 0 }
    }
}

/// Every model says a line that it is asked to say word for word, where no rule wants something else.
fn verbatim(heard: &Heard) -> Option<String> {
    let Heard::User(said) = heard else { return None };
    let line = said.trim_matches(['(', ')']).strip_prefix("Say exactly this, and nothing else: ")?;
    Some(line.to_owned())
}

/// Words with the space before them.
fn pieces(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut starts: Vec<_> = text.match_indices(' ').map(|(at, _)| at).collect();
    starts.insert(0, 0);
    starts.dedup();
    starts.push(text.len());
    let pairs: Vec<_> = starts.windows(2).map(|two| text[two[0]..two[1]].to_owned()).collect();
    pairs.into_iter().filter(|piece| !piece.is_empty())
}

/// Vendors forget after minutes; the last requests are enough.
const MAX_READ: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn question<'a>(heard: Heard, tools: &[&'a str]) -> Question<'a> {
        Question { heard, tools: tools.to_vec(), reads: vec!["you are".to_owned()], max_tokens: 100 }
    }

    fn text(streamed: &Streamed) -> String {
        let words = streamed.tokens.iter().map(|(_, token)| match token {
            Token::Text(text) | Token::Arguments(text) => text.clone(),
            Token::Call { name, .. } => format!("<{name}>"),
        });
        words.collect()
    }

    #[test]
    fn the_first_rule_that_fits_answers() {
        let rules = [
            Rule::user("order").offered("track").call("track", r#"{"order":"12"}"#),
            Rule::tool("shipped").say("It is on its way."),
            Rule::user("order").times(1).say("Which order?"),
        ];
        let mut model = Model::new(rules, TokenPace::default());
        let user = || Heard::User("Mera ORDER kahan hai".to_owned());
        let mut ask = |heard, tools: &[&str]| text(&model.answer(Duration::ZERO, &question(heard, tools)));
        assert_eq!(ask(user(), &["track"]), r#"<track>{"order":"12"}"#);
        assert_eq!(ask(Heard::Tool("shipped".to_owned()), &["track"]), "It is on its way.");
        assert_eq!(ask(user(), &[]), "Which order?");
        assert_eq!(ask(user(), &[]), "I have no rule for that.");
    }

    #[test]
    fn tokens_come_in_time_and_are_counted() {
        let mut model = Model::new([Rule::always().say("ek do teen")], TokenPace::default()).caching_from(1);
        let mut asked = question(Heard::User(String::new()), &[]);
        asked.max_tokens = 2;
        let first = model.answer(Duration::from_secs(1), &asked);
        assert_eq!(first.tokens[1], (Duration::from_millis(1_320), Token::Text(" do".to_owned())));
        assert!(first.is_cut);
        assert_eq!(first.usage, Usage { input: 2, cached: 0, output: 2 });
        asked.reads.push("more".to_owned());
        assert_eq!(model.answer(Duration::ZERO, &asked).usage, Usage { input: 3, cached: 2, output: 2 });
    }
}
