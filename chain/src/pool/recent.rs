//! A set that forgets.

use std::collections::{BTreeSet, VecDeque};

/// The last so many entries that were put in.
#[derive(Clone, Debug)]
pub(crate) struct Recent<T> {
    most: usize,
    order: VecDeque<T>,
    set: BTreeSet<T>,
}

impl<T: Copy + Ord> Recent<T> {
    pub fn new(most: usize) -> Self {
        Recent { most, order: VecDeque::new(), set: BTreeSet::new() }
    }

    pub fn contains(&self, entry: &T) -> bool {
        self.set.contains(entry)
    }

    pub fn insert(&mut self, entry: T) {
        if self.set.insert(entry) {
            self.order.push_back(entry);
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
            recent.insert(i);
        }
        assert_eq!([1, 2, 3].map(|i| recent.contains(&i)), [false, true, true]);
        assert_eq!(recent.set.len(), recent.order.len());
        let mut none = Recent::new(0);
        none.insert(1);
        assert!(!none.contains(&1));
    }
}
