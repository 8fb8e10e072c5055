//! The order in which those who wait are served: by priority, then tenants in turn, then who came first.
//!
//! Not here: who waits how, and for how long (`lobby`). Within one priority tenants are served by start
//! time (SFQ, Goyal et al. 1996) with calls of one size: each serving moves its tenant's start one on,
//! and the smallest start is next. A tenant that comes new, or back, starts where the others are, so it
//! neither waits behind a burst nor makes up for its absence. Invariant: nobody is in it twice, and
//! there are never more than its bound.

use crate::types::Priority;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Which targets somebody waits for, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aims {
    /// Those that have no room now.
    pub full: u64,
    /// Those that are left alone now, and will be back.
    pub away: u64,
}

/// Where somebody stands, to be found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    priority: Priority,
    tenant: u64,
    aims: Aims,
    number: u64,
}

/// Those who wait.
#[derive(Debug)]
pub struct Fair<T> {
    most: usize,
    len: usize,
    /// Of who comes next.
    next: u64,
    /// Start of who was served last, by priority.
    served: [u64; Priority::ALL.len()],
    tenants: HashMap<(Priority, u64), Tenant<T>>,
    /// By priority, start and age; the tenant's name last.
    order: BTreeSet<(Priority, u64, u64, u64)>,
}

/// Those of one tenant, of one priority.
#[derive(Debug)]
struct Tenant<T> {
    start: u64,
    born: u64,
    len: usize,
    /// One for each set of targets that somebody waits for.
    lanes: Vec<(Aims, BTreeMap<u64, T>)>,
}

impl<T> Fair<T> {
    /// For at most `most`.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            len: 0,
            next: 0,
            served: [0; Priority::ALL.len()],
            tenants: HashMap::new(),
            order: BTreeSet::new(),
        }
    }

    /// For at most `most` from now on; those who are in line stay.
    pub fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts `item` in line. `before`: the place it had, and was called from in vain. Where there is no
    /// room, somebody makes way who has less of a right to it: of a lower priority, or of a tenant that
    /// has more in line; that one is given back.
    ///
    /// # Errors
    /// `item`, where nobody has less of a right than it.
    pub fn push(
        &mut self,
        (priority, tenant): (Priority, u64),
        aims: Aims,
        before: Option<Place>,
        item: T,
    ) -> Result<(Place, Option<T>), T> {
        let mut displaced = None;
        if self.len >= self.most {
            match self.weakest(priority, tenant) {
                Some(place) => displaced = self.remove(place),
                None => return Err(item),
            }
        }
        let number = before.map_or(self.next, |place| place.number);
        self.next += u64::from(before.is_none());
        let place = Place { priority, tenant, aims, number };
        let served = self.served.get(priority as usize).copied().unwrap_or_default();
        let order = &mut self.order;
        let entry = self.tenants.entry((priority, tenant)).or_insert_with(|| {
            order.insert((priority, served, number, tenant));
            Tenant { start: served, born: number, len: 0, lanes: Vec::new() }
        });
        entry.put(aims, number, item);
        self.len += 1;
        Ok((place, displaced))
    }

    /// Takes who is next of those who wait for one of the targets in `bit` to have room, or, with
    /// `is_back`, to be back too.
    pub fn pop(&mut self, bit: u64, is_back: bool) -> Option<T> {
        let wants = |aims: &Aims| bit & if is_back { aims.full | aims.away } else { aims.full } != 0;
        let of = |key: &(Priority, u64, u64, u64)| (key.0, key.3);
        let found = self.order.iter().find_map(|key| {
            let tenant = self.tenants.get(&of(key))?;
            tenant.first(&wants).map(|(aims, number)| (*key, aims, number))
        });
        let (key, aims, number) = found?;
        let place = Place { priority: key.0, tenant: key.3, aims, number };
        let item = self.take(place, true);
        if let Some(served) = self.served.get_mut(key.0 as usize) {
            *served = key.1.max(*served);
        }
        item
    }

    /// Takes out all who wait for one of the targets in `bit`.
    pub fn take_all(&mut self, bit: u64) -> Vec<T> {
        let mut places = Vec::new();
        for ((priority, tenant), crowd) in &self.tenants {
            for (aims, lane) in crowd.lanes.iter().filter(|(aims, _)| (aims.full | aims.away) & bit != 0) {
                let place = |number: &u64| Place {
                    priority: *priority,
                    tenant: *tenant,
                    aims: *aims,
                    number: *number,
                };
                places.extend(lane.keys().map(place));
            }
        }
        places.into_iter().filter_map(|place| self.remove(place)).collect()
    }

    /// Takes out who stands there, if it still does.
    pub fn remove(&mut self, place: Place) -> Option<T> {
        self.take(place, false)
    }

    fn take(&mut self, place: Place, is_served: bool) -> Option<T> {
        let name = (place.priority, place.tenant);
        let tenant = self.tenants.get_mut(&name)?;
        let item = tenant.take(place.aims, place.number)?;
        self.len -= 1;
        let key = (place.priority, tenant.start, tenant.born, place.tenant);
        if tenant.len == 0 {
            self.tenants.remove(&name);
            self.order.remove(&key);
        } else if is_served {
            let served = self.served.get(place.priority as usize).copied().unwrap_or_default();
            tenant.start = tenant.start.max(served) + 1;
            let moved = (place.priority, tenant.start, tenant.born, place.tenant);
            self.order.remove(&key);
            self.order.insert(moved);
        }
        Some(item)
    }

    /// Who has less of a right to be in line than somebody new of this tenant: the last of the tenant
    /// that has most, of the lowest priority there is.
    fn weakest(&self, priority: Priority, tenant: u64) -> Option<Place> {
        let last = self.order.last()?.0;
        let of_last = self.tenants.iter().filter(|((priority, _), _)| *priority == last);
        let (name, crowd) = of_last.max_by_key(|(_, tenant)| (tenant.len, tenant.born))?;
        let own = self.tenants.get(&(priority, tenant)).map_or(0, |tenant| tenant.len);
        let has_less_right = last > priority || (last == priority && crowd.len > own + 1);
        if !has_less_right {
            return None;
        }
        let (aims, number) = crowd.last()?;
        Some(Place { priority: name.0, tenant: name.1, aims, number })
    }
}

impl<T> Tenant<T> {
    fn put(&mut self, aims: Aims, number: u64, item: T) {
        self.len += 1;
        if let Some((_, lane)) = self.lanes.iter_mut().find(|(held, _)| *held == aims) {
            lane.insert(number, item);
            return;
        }
        self.lanes.push((aims, BTreeMap::from([(number, item)])));
    }

    fn take(&mut self, aims: Aims, number: u64) -> Option<T> {
        let at = self.lanes.iter().position(|(held, _)| *held == aims)?;
        let (_, lane) = self.lanes.get_mut(at)?;
        let item = lane.remove(&number)?;
        if lane.is_empty() {
            self.lanes.swap_remove(at);
        }
        self.len -= 1;
        Some(item)
    }

    fn first(&self, wants: &impl Fn(&Aims) -> bool) -> Option<(Aims, u64)> {
        let lanes = self.lanes.iter().filter(|(aims, _)| wants(aims));
        let firsts = lanes.filter_map(|(aims, lane)| Some((*aims, *lane.first_key_value()?.0)));
        firsts.min_by_key(|(_, number)| *number)
    }

    fn last(&self) -> Option<(Aims, u64)> {
        let lasts = self.lanes.iter().filter_map(|(aims, lane)| Some((*aims, *lane.last_key_value()?.0)));
        lasts.max_by_key(|(_, number)| *number)
    }
}
