//! A store that keeps everything in memory, for tests of what is above it.

use async_trait::async_trait;
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;
use tidegate::govern::{AuditRecord, Call, Kind, Object};
use tidegate::store::{Changes, Commit, Committed, Idempotency, ListQuery, Store, StoreError, Write};
use tokio::sync::watch;

#[derive(Debug)]
pub struct Memory {
    state: Mutex<State>,
    sequence: watch::Sender<u64>,
    pub is_away: std::sync::atomic::AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<(Kind, String), (Object, u64)>,
    deleted: Vec<(Kind, String, u64)>,
    audit: Vec<AuditRecord>,
    answers: HashMap<String, Idempotency>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { state: Mutex::default(), sequence: watch::Sender::new(0), is_away: false.into() }
    }
}

impl Memory {
    /// Everything in it as text, to be looked through for what must not be there, and to be compared.
    pub fn dump(&self) -> String {
        format!("{:?}", self.state.lock().unwrap().objects)
    }

    pub fn count(&self) -> usize {
        self.state.lock().unwrap().objects.len()
    }

    pub fn audit_text(&self) -> String {
        format!("{:?}", self.state.lock().unwrap().audit)
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.is_away.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(StoreError::Unavailable("away".into()));
        }
        Ok(())
    }
}

impl State {
    fn write(&mut self, write: Write, at_ms: u64, sequence: u64) -> Result<Option<Object>, StoreError> {
        match write {
            Write::Create(mut object) => {
                let kind = object.kind.as_str();
                let is_taken = self.objects.values().any(|(other, _)| {
                    (other.kind, &other.parent, &other.name) == (object.kind, &object.parent, &object.name)
                });
                if is_taken || self.objects.contains_key(&(object.kind, object.id.clone())) {
                    return Err(StoreError::Exists { kind, name: object.name });
                }
                (object.version, object.created_ms, object.updated_ms) = (1, at_ms, at_ms);
                self.objects.insert((object.kind, object.id.clone()), (object.clone(), sequence));
                Ok(Some(object))
            }
            Write::Update { mut object, expected } => {
                let kind = object.kind.as_str();
                let place = self.objects.get_mut(&(object.kind, object.id.clone()));
                let (there, changed) = place.ok_or(StoreError::Missing { kind })?;
                if let Some(expected) = expected.filter(|expected| *expected != there.version) {
                    return Err(StoreError::Conflict { expected, actual: there.version });
                }
                (object.version, object.updated_ms) = (there.version + 1, at_ms);
                (*there, *changed) = (object.clone(), sequence);
                Ok(Some(object))
            }
            Write::Delete { kind, id, expected } => {
                let (there, _) = self
                    .objects
                    .get(&(kind, id.clone()))
                    .ok_or(StoreError::Missing { kind: kind.as_str() })?;
                if let Some(expected) = expected.filter(|expected| *expected != there.version) {
                    return Err(StoreError::Conflict { expected, actual: there.version });
                }
                if self.objects.values().any(|(other, _)| other.parent.as_deref() == Some(&id)) {
                    return Err(StoreError::NotEmpty { kind: kind.as_str() });
                }
                self.objects.remove(&(kind, id.clone()));
                self.deleted.push((kind, id, sequence));
                Ok(None)
            }
        }
    }
}

#[async_trait]
impl Store for Memory {
    async fn ping(&self) -> Result<(), StoreError> {
        self.check()
    }

    async fn get(&self, kind: Kind, id: &str) -> Result<Option<Object>, StoreError> {
        self.check()?;
        Ok(self.state.lock().unwrap().objects.get(&(kind, id.to_owned())).map(|(object, _)| object.clone()))
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Object>, StoreError> {
        self.check()?;
        let is = |asked: &Option<String>, there: Option<&str>| {
            asked.as_deref().is_none_or(|asked| Some(asked) == there)
        };
        let state = self.state.lock().unwrap();
        let mut found: Vec<Object> = state
            .objects
            .values()
            .map(|(object, _)| object)
            .filter(|object| query.kind.is_none_or(|kind| kind == object.kind))
            .filter(|object| is(&query.tenant, object.tenant.as_deref()))
            .filter(|object| is(&query.parent, object.parent.as_deref()))
            .filter(|object| is(&query.name, Some(&object.name)))
            .filter(|object| query.after.as_ref().is_none_or(|after| object.id > *after))
            .cloned()
            .collect();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found.truncate(query.limit as usize);
        Ok(found)
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        self.check()?;
        let mut state = self.state.lock().unwrap();
        if let Some(idempotency) = &commit.idempotency
            && let Some(known) = state.answers.get(&idempotency.key)
        {
            if known.fingerprint != idempotency.fingerprint {
                return Err(StoreError::KeyReused);
            }
            return Ok(Committed::Replayed { answer: known.answer.clone() });
        }
        let sequence = *self.sequence.borrow() + 1;
        let mut objects = Vec::new();
        for write in commit.writes {
            objects.extend(state.write(write, commit.at_ms, sequence)?);
        }
        for entry in commit.audit {
            let number = state.audit.len() as u64 + 1;
            state.audit.push(AuditRecord { sequence: number, entry, hash: String::new() });
        }
        state.answers.extend(commit.idempotency.map(|idempotency| (idempotency.key.clone(), idempotency)));
        drop(state);
        self.sequence.send_replace(sequence);
        Ok(Committed::Done { objects, sequence })
    }

    async fn changes(&self, since: u64) -> Result<Changes, StoreError> {
        self.check()?;
        let state = self.state.lock().unwrap();
        let changed = state.objects.values().filter(|(_, sequence)| *sequence > since);
        let deleted = state.deleted.iter().filter(|(_, _, sequence)| *sequence > since);
        Ok(Changes {
            objects: changed.map(|(object, _)| object.clone()).collect(),
            deleted: deleted.map(|(kind, id, _)| (*kind, id.clone())).collect(),
            sequence: *self.sequence.borrow(),
            has_more: false,
        })
    }

    async fn changed(&self, since: u64, poll: Duration) {
        let mut watch = self.sequence.subscribe();
        let _ = tokio::time::timeout(poll, watch.wait_for(|sequence| *sequence > since)).await;
    }

    async fn audit(
        &self,
        tenant: Option<&str>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        self.check()?;
        let state = self.state.lock().unwrap();
        let newest = state.audit.iter().rev();
        let asked = newest
            .filter(|record| tenant.is_none_or(|tenant| record.entry.tenant.as_deref() == Some(tenant)))
            .filter(|record| before.is_none_or(|before| record.sequence < before));
        Ok(asked.take(limit as usize).cloned().collect())
    }

    async fn append_calls(&self, _calls: &[Call]) -> Result<(), StoreError> {
        Ok(())
    }
}
