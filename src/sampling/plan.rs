//! Shares, floors and budgets, turned into chances before a window, from how many sessions the windows before had.
//!
//! Where a budget is too small for all that is wanted, floors come first, then what is kept, then shares; what is left for
//! one of these is divided by one factor among all classes. A tenth of it is always for shares: without any chance for some
//! sessions, nothing could be said of all. No chance depends on the sessions of its own window, and so estimates that are
//! weighted by it are unbiased.

/// Sessions that have one chance: those of a stratum that are kept, or those that are not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Class {
    /// The share that is wanted; 1 of what is kept.
    pub wanted: f64,
    /// How many of its sessions at least.
    pub floor: f64,
    /// Whether it is kept whatever its share.
    pub kept: bool,
    /// How many sessions the window will have, as far as the windows before tell.
    pub forecast: Option<f64>,
    /// What looking at one costs, in US dollars.
    pub usd: f64,
}

/// What may be spent in a window; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Room {
    /// Sessions.
    pub sessions: Option<f64>,
    /// US dollars.
    pub usd: Option<f64>,
}

impl Room {
    /// How much of something that costs so many sessions and dollars there is room for, from 0 to 1.
    fn factor(self, sessions: f64, usd: f64) -> f64 {
        let part = |left: Option<f64>, wanted: f64| match left {
            Some(left) if wanted > left => (left / wanted).max(0.0),
            _ => 1.0,
        };
        part(self.sessions, sessions).min(part(self.usd, usd))
    }

    fn less(self, sessions: f64, usd: f64) -> Self {
        let less = |left: Option<f64>, spent: f64| left.map(|left| (left - spent).max(0.0));
        Self { sessions: less(self.sessions, sessions), usd: less(self.usd, usd) }
    }
}

/// The part of what there is room for that is for shares, whatever else is wanted.
const FOR_SHARES: f64 = 0.1;

/// The chance of each class. Of what nothing is known yet, the share that is wanted: a limit is then kept by whoever
/// counts.
pub fn chances(classes: &[Class], room: Room) -> Vec<f64> {
    let least = least(classes, room);
    let floors: Vec<f64> =
        classes.iter().map(|class| floor(class).max(if class.kept { 0.0 } else { class.wanted.min(least) })).collect();
    let wants = |class: &Class| class.wanted.clamp(0.0, 1.0);
    let mut chances = vec![0.0_f64; classes.len()];
    let mut room = room;
    let kept = |class: &Class| if class.kept { wants(class) } else { 0.0 };
    let all = |(class, floor): (&Class, &f64)| wants(class).max(*floor);
    let levels: [Vec<f64>; 3] =
        [floors.clone(), classes.iter().map(kept).collect(), classes.iter().zip(&floors).map(all).collect()];
    for level in levels {
        let more: Vec<f64> = level.iter().zip(&chances).map(|(level, chance)| (level - chance).max(0.0)).collect();
        let sum = |of: &dyn Fn(&Class) -> f64| -> f64 {
            classes.iter().zip(&more).map(|(class, more)| class.forecast.unwrap_or(0.0) * more * of(class)).sum()
        };
        let (sessions, usd) = (sum(&|_| 1.0), sum(&|class| class.usd));
        let factor = room.factor(sessions, usd);
        room = room.less(sessions * factor, usd * factor);
        for ((chance, more), class) in chances.iter_mut().zip(more).zip(classes) {
            *chance = (*chance + more * if class.forecast.is_some() { factor } else { 1.0 }).min(1.0);
        }
        if factor < 1.0 {
            // What comes after has no room, and of what is not known it is not certain that it is nothing.
            break;
        }
    }
    chances
}

/// The chance that everybody has who is to have any, by the part that is for shares.
fn least(classes: &[Class], room: Room) -> f64 {
    let shares = || classes.iter().filter(|class| !class.kept && class.wanted > 0.0);
    let all = |of: &dyn Fn(&Class) -> f64| -> f64 { shares().map(|c| c.forecast.unwrap_or(0.0) * of(c)).sum() };
    let part = |left: Option<f64>, all: f64| match left {
        Some(left) if all > 0.0 => FOR_SHARES * left / all,
        _ => 1.0,
    };
    // Where there is no limit, shares are as large as is wanted anyway.
    if room == Room::default() { 0.0 } else { part(room.sessions, all(&|_| 1.0)).min(part(room.usd, all(&|c| c.usd))) }
}

/// The chance that brings about as many sessions as the floor asks for.
fn floor(class: &Class) -> f64 {
    match class.forecast {
        _ if class.floor <= 0.0 => 0.0,
        Some(n) if n > class.floor => class.floor / n,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn class(wanted: f64, forecast: f64) -> Class {
        Class { wanted, floor: 0.0, kept: false, forecast: Some(forecast), usd: 0.01 }
    }

    fn sessions(n: f64) -> Room {
        Room { sessions: Some(n), usd: None }
    }

    #[test]
    fn without_limits_everybody_gets_what_is_wanted_or_the_floor() {
        let floor = |forecast| Class { floor: 50.0, ..class(0.1, forecast) };
        assert_eq!(chances(&[class(0.1, 1000.0), floor(100.0), floor(20.0)], Room::default()), [0.1, 0.5, 1.0]);
    }

    #[test]
    fn a_limit_takes_from_shares_then_from_what_is_kept_and_last_from_floors() {
        let kept = Class { kept: true, ..class(1.0, 100.0) };
        let classes = [Class { floor: 50.0, ..class(0.5, 1000.0) }, kept, class(0.5, 1000.0)];
        let near = |room: f64, expected: [f64; 3]| {
            let got = chances(&classes, sessions(room));
            assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{room}: {got:?}");
        };
        near(1150.0, [0.5, 1.0, 0.5]);
        // 50 of the floor, 12.5 of the part for shares and 100 that are kept leave 87.5 of the 937.5 that are wanted.
        near(250.0, [0.092, 1.0, 0.058]);
        // 50 of the floor and 5 of the part for shares leave 45 of what is kept.
        near(100.0, [0.05, 0.45, 0.005]);
    }

    #[test]
    fn money_limits_as_sessions_do() {
        let room = Room { sessions: Some(500.0), usd: Some(1.0) };
        assert!((chances(&[class(1.0, 1000.0)], room)[0] - 0.1).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_known_yet_gets_what_is_wanted() {
        let new = Class { forecast: None, ..class(0.2, 0.0) };
        assert_eq!(chances(&[new, Class { floor: 3.0, ..new }], sessions(1.0)), [0.2, 1.0]);
    }

    proptest! {
        #[test]
        fn what_is_expected_keeps_to_the_limits_and_more_room_never_takes_away(
            classes in prop::collection::vec(
                (0.0f64..=1.0, 0.0f64..100.0, any::<bool>(), 0.0f64..5000.0, 0.0f64..0.1), 1..8
            ),
            left in 0.0f64..3000.0, money in 0.0f64..50.0, more in 1.0f64..3.0,
        ) {
            let classes: Vec<Class> = classes.into_iter().map(|(wanted, floor, kept, n, usd)| {
                Class { wanted: if kept { 1.0 } else { wanted }, floor, kept, forecast: Some(n), usd }
            }).collect();
            let small = chances(&classes, Room { sessions: Some(left), usd: Some(money) });
            let spent = |chances: &[f64], of: &dyn Fn(&Class) -> f64| -> f64 {
                classes.iter().zip(chances).map(|(class, p)| class.forecast.unwrap() * p * of(class)).sum()
            };
            prop_assert!(small.iter().all(|p| (0.0..=1.0).contains(p)));
            prop_assert!(spent(&small, &|_| 1.0) <= left + 1e-6);
            prop_assert!(spent(&small, &|class| class.usd) <= money + 1e-6);
            let large = chances(&classes, Room { sessions: Some(left * more), usd: Some(money * more) });
            prop_assert!(spent(&large, &|_| 1.0) >= spent(&small, &|_| 1.0) - 1e-6);
        }
    }
}
