//! Who can be asked for one purpose, and in which order.

use std::sync::Arc;
use std::time::Duration;

use caly_provider::policy::chain::{Chain, Member};

/// The providers of one hop.
#[derive(Debug)]
pub struct Hops<P: ?Sized>(pub Vec<(Member, Arc<P>)>);

impl<P: ?Sized> Clone for Hops<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: ?Sized> Hops<P> {
    /// Whom to ask when.
    pub fn chain(&self) -> Chain {
        Chain::new(self.0.iter().map(|(member, _)| member.clone()).collect())
    }

    /// The provider of that number.
    pub fn provider(&self, number: usize) -> Option<&Arc<P>> {
        self.0.get(number).map(|(_, provider)| provider)
    }

    /// Its name; empty if there is none of that number.
    pub fn name(&self, number: usize) -> &str {
        self.0.get(number).map_or("", |(member, _)| &member.name)
    }
}

/// A better provider is tried again after so long, in a quiet moment.
pub(in crate::mind) const RETURN_AFTER: Duration = Duration::from_secs(30);
