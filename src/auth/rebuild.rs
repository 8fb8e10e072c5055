//! The second half of [`Directory`]: from what is known to a snapshot. Only what a change made stale
//! is made anew; the rest is shared with the snapshot before.

use super::ModelGlobs;
use super::access::Access;
use super::directory::{Directory, Node, PlanNode, UserNode};
use super::identities::{Identities, KeyEntry, UserEntry, path_of};
use super::pepper::hash_from_hex;
use super::principal::{AppView, Names, Principal, Rules};
use super::shop::{Offer, Shop, Subscribed};
use crate::govern::{Actor, Identity, KeyId, Level, Scope, Status, Subscription, UserId};
use crate::types::Claims;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

impl Directory {
    /// The snapshot of all that was taken so far.
    pub fn snapshot(&mut self) -> Arc<Identities> {
        self.refresh_views();
        self.generation += 1;
        let last = self.last.take();
        let (users, logins) = match &last {
            Some(last) if !self.users_changed => (last.users.clone(), last.logins.clone()),
            _ => (Arc::new(self.user_entries()), Arc::new(self.logins())),
        };
        self.users_changed = false;
        let path = |view: &Arc<AppView>| {
            let names = &view.names;
            (path_of(&names.tenant, &names.team, &names.app).into(), view.app.clone())
        };
        let named = self.views.values().map(path);
        let identities = Arc::new(Identities {
            keys: self.shards.clone(),
            apps: Arc::new(self.views.clone()),
            named: Arc::new(named.collect()),
            users,
            logins,
            generation: self.generation,
            sequence: self.sequence,
        });
        self.last = Some(identities.clone());
        identities
    }

    fn refresh_views(&mut self) {
        if self.is_all_stale {
            self.stale_apps.extend(self.apps.keys().cloned());
            self.stale_apps.extend(self.views.keys().cloned());
        }
        if self.stale_apps.is_empty() {
            return;
        }
        let mut shops = self.shops();
        for app in &self.stale_apps {
            match self.view(app, shops.remove(app)) {
                Some(view) => self.views.insert(app.clone(), Arc::new(view)),
                None => self.views.remove(app),
            };
        }
        self.refresh_keys();
        self.stale_apps.clear();
        self.is_all_stale = false;
    }

    /// Keys of stale apps, with the views made for them.
    fn refresh_keys(&mut self) {
        for index in 0..self.shards.len() {
            let Some(shard) = self.shards.get(index).cloned() else { continue };
            let stale = shard.iter().filter(|(_, e)| self.is_all_stale || self.stale_apps.contains(&e.app));
            let renewed: Vec<(Box<str>, KeyEntry)> = stale
                .map(|(public, entry)| {
                    let principal = self.principal(public, entry);
                    (public.clone(), entry.with(principal))
                })
                .collect();
            drop(shard);
            let Some(shard) = self.shards.get_mut(index).filter(|_| !renewed.is_empty()) else { continue };
            Arc::make_mut(shard).extend(renewed.into_iter().map(|(public, e)| (public, Arc::new(e))));
        }
    }

    pub(super) fn principal(&self, public: &str, entry: &KeyEntry) -> Option<Arc<Principal>> {
        let view = self.views.get(&entry.app).filter(|view| view.is_active)?;
        if entry.status != Status::Active {
            return None;
        }
        let key_id: Box<str> = format!("{}{public}", KeyId::PREFIX).into();
        let own = entry.policy.as_ref().map(|policy| Scope::new(Level::Key, &key_id, policy.clone()));
        let lists = entry.policy.as_deref().and_then(Access::of).map(Box::new);
        Some(Arc::new(Principal {
            key_id,
            index: None,
            app: Some(view.clone()),
            own: own.map(Box::new),
            claims: Claims::default(),
            rules: Rules::Governed(lists),
        }))
    }

    fn view(&self, app: &Arc<str>, shop: Option<Shop>) -> Option<AppView> {
        let node = self.apps.get(app)?;
        let team = node.parent.as_ref()?;
        let team_node = self.teams.get(team)?;
        let tenant = team_node.parent.as_ref()?;
        let tenant_node = self.tenants.get(tenant)?;
        let levels =
            [(Level::Tenant, tenant, tenant_node), (Level::Team, team, team_node), (Level::App, app, node)];
        let scope =
            |(level, id, node): &(Level, &Arc<str>, &Node)| Scope::new(*level, id, node.policy.clone());
        Some(AppView {
            tenant: tenant.clone(),
            team: team.clone(),
            app: app.clone(),
            scopes: levels.iter().map(scope).collect(),
            access: levels.iter().map(|(_, _, node)| Access::of(&node.policy)).collect(),
            shop: shop.unwrap_or_default(),
            names: Names {
                tenant: tenant_node.name.clone(),
                team: team_node.name.clone(),
                app: node.name.clone(),
            },
            is_active: levels.iter().all(|(_, _, node)| node.status == Status::Active),
        })
    }

    /// What each stale app finds published, and what it subscribed to.
    fn shops(&self) -> HashMap<Arc<str>, Shop> {
        let mut offers: HashMap<Option<Arc<str>>, Arc<[Arc<Offer>]>> = HashMap::new();
        let mut subscribed: HashMap<&Arc<str>, Vec<Subscribed>> = HashMap::new();
        for (id, node) in &self.subscriptions {
            if self.stale_apps.contains(&node.app) {
                subscribed.entry(&node.app).or_default().extend(self.subscribed(id, &node.subscription));
            }
        }
        let mut shops = HashMap::new();
        for app in &self.stale_apps {
            let team = self.apps.get(app).and_then(|node| self.teams.get(node.parent.as_ref()?));
            let tenant = team.and_then(|team| team.parent.clone());
            let offers = offers.entry(tenant.clone()).or_insert_with(|| self.offers(tenant.as_ref())).clone();
            let subscribed = subscribed.remove(app).unwrap_or_default().into();
            shops.insert(app.clone(), Shop { offers, subscribed });
        }
        shops
    }

    /// Plans of the installation and of a tenant that publish models. A blocked one still does, and
    /// opens nothing: blocking a plan must not make its models free for all.
    fn offers(&self, tenant: Option<&Arc<str>>) -> Arc<[Arc<Offer>]> {
        let here =
            self.plans.iter().filter(|(_, node)| node.tenant.is_none() || node.tenant.as_ref() == tenant);
        let offer = |(id, node): (&Arc<str>, &PlanNode)| {
            let models = ModelGlobs::new(node.plan.policy.models.as_ref()?);
            Some(Arc::new(Offer { plan: id.clone(), name: node.name.clone(), models }))
        };
        here.filter_map(offer).collect()
    }

    fn subscribed(&self, id: &Arc<str>, subscription: &Subscription) -> Option<Subscribed> {
        let (plan, node) = self.plans.get_key_value(subscription.plan.as_str())?;
        Some(Subscribed {
            state: subscription.state,
            scope: Scope::new(Level::Subscription, id, node.policy.clone()),
            margin_bp: node.plan.margin_bp,
            plan: plan.clone(),
            is_active: node.plan.status == Status::Active,
        })
    }

    /// Who signs in by another issuer. Where several users have one identity it is the installation's,
    /// so that no tenant's administrator stands in its way; of two of one rank it is neither.
    fn logins(&self) -> HashMap<Identity, Box<str>> {
        let mut found: HashMap<&Identity, (bool, Option<&str>)> = HashMap::new();
        for (public, node) in &self.users {
            let Some(identity) = node.user.identity.as_ref().filter(|_| !node.user.is_service) else {
                continue;
            };
            let rank = node.tenant.is_none();
            let place = found.entry(identity).or_insert((rank, Some(public)));
            if place.1 == Some(public) {
                continue;
            }
            match rank.cmp(&place.0) {
                Ordering::Greater => *place = (rank, Some(public)),
                Ordering::Equal => place.1 = None,
                Ordering::Less => {}
            }
        }
        let single = |(identity, (_, public)): (&Identity, (bool, Option<&str>))| {
            Some((identity.clone(), public?.into()))
        };
        found.into_iter().filter_map(single).collect()
    }

    fn user_entries(&self) -> HashMap<Box<str>, UserEntry> {
        let entry = |public: &str, node: &UserNode| {
            let (tenant, user) = (node.tenant.as_deref(), &node.user);
            let is_blocked =
                |tenant| self.tenants.get(tenant).is_none_or(|node| node.status != Status::Active);
            let actor = Actor {
                name: format!("{}{public}", UserId::PREFIX),
                role: user.role,
                tenant: tenant.map(Into::into),
                teams: user.teams.clone(),
            };
            let entry = UserEntry {
                hash: user.token_hash.as_deref().and_then(hash_from_hex),
                is_active: user.status == Status::Active && !tenant.is_some_and(is_blocked),
                actor: Arc::new(actor),
            };
            (public.into(), entry)
        };
        self.users.iter().map(|(public, node)| entry(public, node)).collect()
    }
}
