//! Several providers for one purpose, the best first: whom to ask next.

use std::sync::Arc;
use std::time::Instant;

use super::{Fault, Health};

/// A provider as the chain sees it.
#[derive(Clone, Debug)]
pub struct Member {
    /// The name that its configuration gives it.
    pub name: Arc<str>,
    /// What all calls know of it.
    pub health: Arc<Health>,
}

/// The chain of one purpose in one call.
#[derive(Clone, Debug)]
pub struct Chain {
    members: Vec<Member>,
}

/// How often each member has been tried for one thing.
#[derive(Clone, Debug, Default)]
pub struct Tried(Vec<u8>);

impl Chain {
    /// The best first.
    pub fn new(members: Vec<Member>) -> Self {
        Self { members }
    }

    /// The member of that number.
    pub fn member(&self, number: usize) -> Option<&Member> {
        self.members.get(number)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is nobody to ask.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whom to ask: the best that was not tried for this and is not known to fail. If every untried one is known to fail, the best of them all the
    /// same: an answer that is unlikely is better than none.
    ///
    /// Who was shut and is to be tried again is told to one caller only: pick to ask, and see [`Chain::has_untried`] to know whether to.
    pub fn pick(&self, now: Instant, tried: &Tried) -> Option<usize> {
        let untried = || (0..self.members.len()).filter(|number| tried.count(*number) == 0);
        let well = untried().find(|number| self.members[*number].health.may_try(now));
        well.or_else(|| untried().next())
    }

    /// Whether [`Chain::pick`] would find anybody. It takes no trial away from who is asked in earnest.
    pub fn has_untried(&self, tried: &Tried) -> bool {
        (0..self.members.len()).any(|number| tried.count(number) == 0)
    }

    /// The best member that is not known to fail, if it is better than the one in use.
    pub fn better_than(&self, now: Instant, in_use: usize) -> Option<usize> {
        (0..in_use.min(self.members.len())).find(|number| self.members[*number].health.may_try(now))
    }

    /// What was asked of it was done.
    pub fn succeeded(&self, number: usize) {
        if let Some(member) = self.members.get(number) {
            member.health.succeeded();
        }
    }

    /// It was not.
    pub fn failed(&self, now: Instant, number: usize, fault: &Fault) {
        if let Some(member) = self.members.get(number) {
            member.health.failed(now, fault);
        }
    }
}

impl Tried {
    /// One more try of a member.
    pub fn mark(&mut self, number: usize) {
        if self.0.len() <= number {
            self.0.resize(number + 1, 0);
        }
        self.0[number] = self.0[number].saturating_add(1);
    }

    /// How often it was tried.
    pub fn count(&self, number: usize) -> u8 {
        self.0.get(number).copied().unwrap_or(0)
    }

    /// How often anybody was.
    pub fn total(&self) -> u32 {
        self.0.iter().map(|count| u32::from(*count)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::FaultKind;

    fn chain(names: &[&str], epoch: Instant) -> Chain {
        let member = |name: &&str| Member { name: (*name).into(), health: Arc::new(Health::new(epoch)) };
        Chain::new(names.iter().map(member).collect())
    }

    #[test]
    fn the_best_that_is_well_is_asked_and_then_the_next() {
        let now = Instant::now();
        let chain = chain(&["a", "b", "c"], now);
        let mut tried = Tried::default();
        assert_eq!(chain.pick(now, &tried), Some(0));
        tried.mark(0);
        chain.failed(now, 1, &Fault::new(FaultKind::Unauthorized, ""));
        assert_eq!(chain.pick(now, &tried), Some(2));
        tried.mark(2);
        assert_eq!(chain.pick(now, &tried), Some(1), "nobody else is left");
        tried.mark(1);
        assert_eq!((chain.pick(now, &tried), tried.total()), (None, 3));
    }

    #[test]
    fn whether_anybody_is_left_takes_no_trial_away() {
        let epoch = Instant::now();
        let chain = chain(&["a", "b", "c"], epoch);
        chain.failed(epoch, 1, &Fault::new(FaultKind::Unauthorized, ""));
        let mut tried = Tried::default();
        tried.mark(0);
        let later = epoch + std::time::Duration::from_secs(60);
        assert!(chain.has_untried(&tried) && chain.has_untried(&tried));
        assert_eq!(chain.pick(later, &tried), Some(1));
        assert_eq!(chain.pick(later, &tried), Some(2), "one has the trial");
        tried.mark(1);
        tried.mark(2);
        assert!(!chain.has_untried(&tried));
    }

    #[test]
    fn the_way_back_leads_to_who_is_better_and_well_again() {
        let now = Instant::now();
        let chain = chain(&["a", "b"], now);
        chain.failed(now, 0, &Fault::new(FaultKind::Unauthorized, ""));
        assert_eq!(chain.better_than(now, 1), None);
        let later = now + std::time::Duration::from_secs(60);
        assert_eq!(chain.better_than(later, 1), Some(0));
        assert_eq!(chain.better_than(later, 0), None);
    }
}
