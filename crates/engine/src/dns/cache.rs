//! Answers that are kept for as long as their TTL says.

use std::collections::HashMap;
use std::sync::Arc;

use sipwright_sip::types::Millis;

use super::record::{Answer, Key, Nothing, Records};

/// Records of one answer that are kept: over TCP an answer may have some thousands.
const MOST_RECORDS: usize = 128;

/// How long answers may be kept, and how many.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    /// Answers at most; the ones nearest to their end go first.
    pub entries: usize,
    /// Shortest time for records, in seconds, whatever their TTL says.
    pub min_ttl_s: u32,
    /// Longest time for records, in seconds.
    pub max_ttl_s: u32,
    /// Longest time for "no such name" and "no such record" (RFC 2308), and the time
    /// when the reply does not say.
    pub negative_ttl_s: u32,
    /// Time for "no answer": a name server that hangs is not asked by every call.
    pub failure_ttl_s: u32,
}

#[derive(Debug)]
struct Entry {
    records: Arc<Records>,
    ends: Millis,
}

/// The cache.
#[derive(Debug)]
pub struct Cache {
    limits: CacheLimits,
    entries: HashMap<Key, Entry, ahash::RandomState>,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        Self {
            limits,
            entries: HashMap::default(),
        }
    }

    /// What is known now.
    #[must_use]
    pub fn get(&self, key: &Key, now: Millis) -> Option<Arc<Records>> {
        let entry = self.entries.get(key)?;
        (now < entry.ends).then(|| Arc::clone(&entry.records))
    }

    /// Keeps an answer, if its TTL lets it be kept at all and it is not huge.
    pub fn put(&mut self, key: Key, answer: &Answer, now: Millis) {
        let ttl = self.ttl_of(answer);
        let is_huge = answer.records.len() > MOST_RECORDS;
        if ttl == 0 || is_huge || self.limits.entries == 0 {
            self.entries.remove(&key);
            return;
        }
        if self.entries.len() >= self.limits.entries && !self.entries.contains_key(&key) {
            self.make_room(now);
        }
        let records = Arc::clone(&answer.records);
        let ends = now + Millis::from(ttl) * 1000;
        self.entries.insert(key, Entry { records, ends });
    }

    fn ttl_of(&self, answer: &Answer) -> u32 {
        let limits = &self.limits;
        match *answer.records {
            Records::None(Nothing::Failed) => limits.failure_ttl_s,
            Records::None(_) => {
                let said = answer.ttl_s.unwrap_or(u32::MAX);
                said.min(limits.negative_ttl_s)
            }
            _ => {
                let said = answer.ttl_s.unwrap_or(0);
                said.max(limits.min_ttl_s).min(limits.max_ttl_s)
            }
        }
    }

    /// Drops what has ended, and if that is not enough the eighth that ends first, so
    /// that a flood of names costs little for each of them.
    fn make_room(&mut self, now: Millis) {
        self.entries.retain(|_, entry| now < entry.ends);
        if self.entries.len() < self.limits.entries {
            return;
        }
        let mut ends: Vec<Millis> = self.entries.values().map(|e| e.ends).collect();
        let eighth = ends.len() / 8;
        let (_, &mut cut, _) = ends.select_nth_unstable(eighth);
        let mut surplus = eighth + 1;
        self.entries.retain(|_, entry| {
            let goes = entry.ends <= cut && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// Forgets one answer; whether there was one.
    pub fn remove(&mut self, key: &Key) -> bool {
        self.entries.remove(key).is_some()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Answers that are kept, ended ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// All answers that still hold, by name, each with the milliseconds it has left.
    #[must_use]
    pub fn dump(&self, now: Millis) -> Vec<(Key, Arc<Records>, Millis)> {
        let mut all: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, e)| now < e.ends)
            .map(|(k, e)| (k.clone(), Arc::clone(&e.records), e.ends - now))
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Kind;
    use super::*;

    const LIMITS: CacheLimits = CacheLimits {
        entries: 16,
        min_ttl_s: 0,
        max_ttl_s: 3600,
        negative_ttl_s: 60,
        failure_ttl_s: 5,
    };

    fn key(name: &str) -> Key {
        Key::new(name, Kind::A).unwrap()
    }

    fn address(ttl_s: u32) -> Answer {
        let records = Arc::new(Records::Addresses(vec!["192.0.2.1".parse().unwrap()]));
        Answer {
            records,
            ttl_s: Some(ttl_s),
        }
    }

    /// Seconds that an answer is kept.
    fn kept(limits: CacheLimits, answer: &Answer) -> u64 {
        let mut cache = Cache::new(limits);
        cache.put(key("a.example"), answer, 1000);
        (0..10_000)
            .take_while(|s| cache.get(&key("a.example"), 1000 + s * 1000).is_some())
            .count() as u64
    }

    #[test]
    fn records_are_kept_for_their_ttl_within_the_limits() {
        assert_eq!(kept(LIMITS, &address(30)), 30);
        assert_eq!(kept(LIMITS, &address(0)), 0);
        assert_eq!(kept(LIMITS, &address(9000)), 3600);
        let least = CacheLimits {
            min_ttl_s: 10,
            ..LIMITS
        };
        assert_eq!(kept(least, &address(0)), 10);
    }

    #[test]
    fn a_huge_answer_is_not_kept() {
        let many = |count: u16| {
            let all = (0..count).map(|n| std::net::Ipv4Addr::from(u32::from(n)).into());
            Answer {
                records: Arc::new(Records::Addresses(all.collect())),
                ttl_s: Some(30),
            }
        };
        assert_eq!(kept(LIMITS, &many(128)), 30);
        assert_eq!(kept(LIMITS, &many(129)), 0);
    }

    #[test]
    fn no_is_kept_for_what_the_soa_says_and_no_answer_for_less() {
        let no = |ttl_s| Answer {
            ttl_s,
            ..Answer::none(Nothing::NoName)
        };
        assert_eq!(kept(LIMITS, &no(Some(20))), 20);
        assert_eq!(kept(LIMITS, &no(Some(900))), 60);
        assert_eq!(kept(LIMITS, &no(None)), 60);
        assert_eq!(kept(LIMITS, &Answer::none(Nothing::Failed)), 5);
    }

    #[test]
    fn a_new_answer_takes_the_place_of_the_old_one() {
        let mut cache = Cache::new(LIMITS);
        cache.put(key("a.example"), &address(30), 0);
        cache.put(key("a.example"), &address(0), 0);
        assert_eq!(cache.get(&key("a.example"), 0), None);
    }

    #[test]
    fn it_never_grows_over_its_bound_and_keeps_what_lasts_longest() {
        let mut cache = Cache::new(LIMITS);
        cache.put(key("keep.example"), &address(3000), 0);
        for i in 0..10_000 {
            cache.put(key(&format!("n{i}.example")), &address(100), 0);
            assert!(cache.len() <= 16);
        }
        assert!(cache.get(&key("keep.example"), 0).is_some());
        assert!(cache.get(&key("n9999.example"), 0).is_some());
    }

    #[test]
    fn ended_answers_make_room_first() {
        let mut cache = Cache::new(LIMITS);
        for i in 0..15 {
            cache.put(key(&format!("old{i}.example")), &address(1), 0);
        }
        cache.put(key("new.example"), &address(2), 0);
        cache.put(key("newer.example"), &address(2), 1500);
        assert_eq!(cache.len(), 2);
        let left: Vec<_> = cache
            .dump(1500)
            .into_iter()
            .map(|(k, _, ms)| (k.name, ms))
            .collect();
        assert_eq!(
            left,
            [("new.example".into(), 500), ("newer.example".into(), 2000)]
        );
    }
}
