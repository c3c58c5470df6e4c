//! A set that forgets.

use crate::Hash;
use std::collections::{BTreeSet, VecDeque};

/// The last so many hashes that were put in.
#[derive(Clone, Debug)]
pub(crate) struct Recent {
    most: usize,
    order: VecDeque<Hash>,
    set: BTreeSet<Hash>,
}

impl Recent {
    pub fn new(most: usize) -> Self {
        Recent { most, order: VecDeque::new(), set: BTreeSet::new() }
    }

    pub fn contains(&self, hash: &Hash) -> bool {
        self.set.contains(hash)
    }

    pub fn insert(&mut self, hash: Hash) {
        if self.set.insert(hash) {
            self.order.push_back(hash);
        }
        while self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest() {
        let mut recent = Recent::new(2);
        for i in [1, 2, 1, 3] {
            recent.insert([i; 32]);
        }
        assert_eq!([1, 2, 3].map(|i| recent.contains(&[i; 32])), [false, true, true]);
        assert_eq!(recent.set.len(), recent.order.len());
        let mut none = Recent::new(0);
        none.insert([1; 32]);
        assert!(!none.contains(&[1; 32]));
    }
}
