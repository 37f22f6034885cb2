//! The order in which SRV and NAPTR records are tried.

use super::record::{Naptr, Srv};

/// Random numbers for choosing by weight: below the given bound, which is not 0.
pub trait Random {
    /// A number from 0 to `bound` - 1.
    fn below(&mut self, bound: u32) -> u32;
}

/// SplitMix64: small, fast and even; not for secrets.
#[derive(Clone, Copy, Debug)]
pub struct Seeded(pub u64);

impl Random for Seeded {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The bias of multiply and shift is below 2^-32.
        (((z >> 32) * u64::from(bound)) >> 32) as u32
    }
}

/// SRV records in the order of trying (RFC 2782): by priority, and among equals drawn
/// by weight. Records of weight 0 are drawn too, though hardly ever before others.
#[must_use]
pub fn order_srv(records: &[Srv], random: &mut dyn Random) -> Vec<Srv> {
    let mut rest: Vec<&Srv> = records.iter().collect();
    // "Those with weight 0 are placed at the beginning of the list."
    rest.sort_by_key(|s| (s.priority, s.weight != 0));
    let mut ordered = Vec::with_capacity(rest.len());
    while let Some(first) = rest.first() {
        let priority = first.priority;
        let equal = rest.iter().take_while(|s| s.priority == priority).count();
        let sum: u32 = rest[..equal].iter().map(|s| u32::from(s.weight)).sum();
        // A running sum that reaches a number between 0 and the sum, both included.
        let drawn = random.below(sum + 1);
        let mut running = 0;
        let chosen = rest[..equal].iter().position(|s| {
            running += u32::from(s.weight);
            running >= drawn
        });
        ordered.push(rest.remove(chosen.unwrap_or(0)).clone());
    }
    ordered
}

/// NAPTR records in the order of trying: by order, then preference (RFC 3403 section 4.1).
#[must_use]
pub fn order_naptr(records: &[Naptr]) -> Vec<&Naptr> {
    let mut all: Vec<&Naptr> = records.iter().collect();
    all.sort_by_key(|n| (n.order, n.preference));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that were written down before.
    struct Script(Vec<u32>);

    impl Random for Script {
        fn below(&mut self, bound: u32) -> u32 {
            let number = self.0.remove(0);
            assert!(number < bound, "{number} is not below {bound}");
            number
        }
    }

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv {
            priority,
            weight,
            port: 5060,
            target: target.into(),
        }
    }

    fn names(all: &[Srv]) -> Vec<&str> {
        all.iter().map(|s| &*s.target).collect()
    }

    #[test]
    fn a_lower_priority_comes_first_whatever_its_weight() {
        let all = [srv(20, 100, "b"), srv(10, 1, "a"), srv(30, 0, "c")];
        let ordered = order_srv(&all, &mut Seeded(7));
        assert_eq!(names(&ordered), ["a", "b", "c"]);
    }

    #[test]
    fn weights_are_drawn_as_rfc_2782_says() {
        let all = [srv(1, 10, "a"), srv(1, 30, "b"), srv(1, 60, "c")];
        let order = |numbers: &[u32]| {
            let ordered = order_srv(&all, &mut Script(numbers.to_vec()));
            names(&ordered).join("")
        };
        assert_eq!(order(&[0, 0, 0]), "abc");
        assert_eq!(order(&[10, 31, 0]), "acb");
        assert_eq!(order(&[11, 10, 60]), "bac");
        assert_eq!(order(&[40, 11, 0]), "bca");
        assert_eq!(order(&[100, 40, 0]), "cba");
    }

    #[test]
    fn weight_0_is_first_only_when_0_is_drawn() {
        let all = [srv(1, 10, "a"), srv(1, 0, "zero")];
        assert_eq!(
            names(&order_srv(&all, &mut Script(vec![0, 0]))),
            ["zero", "a"]
        );
        assert_eq!(
            names(&order_srv(&all, &mut Script(vec![1, 0]))),
            ["a", "zero"]
        );
    }

    #[test]
    fn shares_follow_the_weights() {
        let all = [srv(1, 10, "a"), srv(1, 30, "b"), srv(1, 60, "c")];
        let mut random = Seeded(42);
        let mut first = std::collections::HashMap::new();
        for _ in 0..10_000 {
            let ordered = order_srv(&all, &mut random);
            *first.entry(ordered[0].target.to_string()).or_insert(0) += 1;
        }
        for (name, share) in [("a", 1000), ("b", 3000), ("c", 6000)] {
            let got: i32 = first[name];
            assert!((got - share).abs() < 200, "{name}: {got} of 10000");
        }
    }

    #[test]
    fn naptr_goes_by_order_then_preference() {
        let naptr = |order, preference, services: &str| Naptr {
            order,
            preference,
            flags: "s".into(),
            services: services.into(),
            replacement: "x.example".into(),
        };
        let all = [naptr(20, 1, "c"), naptr(10, 50, "b"), naptr(10, 10, "a")];
        let order: Vec<_> = order_naptr(&all)
            .iter()
            .map(|n| n.services.as_str())
            .collect();
        assert_eq!(order, ["a", "b", "c"]);
    }
}
