//! Somebody at the admin API, and what they may do to a thing. Pure: what a thing is and where it
//! lies is told by the caller.
//!
//! Invariant: nobody gives what they do not have: neither a role above their own, nor a thing of
//! another tenant or team, nor a looser policy than the one somebody else set.

use super::ids::{TeamId, TenantId};
use super::object::Kind;
use super::policy::Policy;
use super::role::{Permission, Role};

/// Who calls the admin API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// A user's id; `token` for the token of the configuration.
    pub name: String,
    pub role: Role,
    /// None: of the installation, over all tenants.
    pub tenant: Option<TenantId>,
    /// Where a developer works; empty for all teams.
    pub teams: Vec<TeamId>,
}

/// Where a thing lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub kind: Kind,
    pub tenant: Option<&'a str>,
    /// The team it is, or lies in; None for what lies in none.
    pub team: Option<&'a str>,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// As if it did not exist: of another tenant or team.
    #[error("no such {0}")]
    Unseen(&'static str),
    #[error("a {role} may not {permission}", role = .0.as_str(), permission = .1)]
    Forbidden(Role, Permission),
    #[error("this belongs to the installation: its own users change it")]
    NotTheInstallation,
    #[error("{} may not grant the role {}", .0.as_str(), .1.as_str())]
    RoleAbove(Role, Role),
    #[error("a {} may tighten this policy, not loosen it", .0.as_str())]
    Loosened(Role),
}

impl Actor {
    /// The holder of the configuration's token: the owner of the installation.
    pub fn installation_owner() -> Self {
        Self { name: "token".to_owned(), role: Role::Owner, tenant: None, teams: Vec::new() }
    }

    /// Whether a thing exists for this actor. Plans and models of the installation are there for all.
    pub fn sees(&self, place: Place<'_>) -> bool {
        let Some(own) = &self.tenant else { return true };
        let is_shared = place.tenant.is_none() && matches!(place.kind, Kind::Plan | Kind::Model);
        if is_shared {
            return true;
        }
        if place.tenant != Some(own.as_str()) {
            return false;
        }
        match place.team {
            Some(team) if !self.teams.is_empty() => self.teams.iter().any(|own| own.as_str() == team),
            _ => true,
        }
    }

    /// # Errors
    /// [`Denied::Forbidden`] by role.
    pub fn may(&self, permission: Permission) -> Result<(), Denied> {
        if self.role.may(permission) { Ok(()) } else { Err(Denied::Forbidden(self.role, permission)) }
    }

    /// A verb on a thing that is there, or is to be.
    ///
    /// # Errors
    /// [`Denied::Unseen`] before anything else: nobody learns what others have.
    pub fn may_on(&self, permission: Permission, place: Place<'_>) -> Result<(), Denied> {
        if !self.sees(place) {
            return Err(Denied::Unseen(place.kind.as_str()));
        }
        self.may(permission)?;
        let reads = matches!(permission, Permission::Read(_));
        let makes_tenants =
            matches!(permission, Permission::Create(Kind::Tenant) | Permission::Delete(Kind::Tenant));
        if self.tenant.is_some() && !reads && (place.tenant.is_none() || makes_tenants) {
            return Err(Denied::NotTheInstallation);
        }
        Ok(())
    }

    /// A user's role, before and after a change; None where there is no user then.
    ///
    /// # Errors
    /// [`Denied::RoleAbove`].
    pub fn may_grant(&self, before: Option<Role>, after: Option<Role>) -> Result<(), Denied> {
        let above = [before, after].into_iter().flatten().find(|role| !self.role.may_grant(*role));
        above.map_or(Ok(()), |role| Err(Denied::RoleAbove(self.role, role)))
    }

    /// A change of the policy of something that lies in a team. Whoever may not change teams works
    /// under such policies, and only tightens them.
    ///
    /// # Errors
    /// [`Denied::Loosened`].
    pub fn may_repolicy(&self, before: &Policy, after: &Policy) -> Result<(), Denied> {
        if self.role.may(Permission::Update(Kind::Team)) || after.is_within(before) {
            return Ok(());
        }
        Err(Denied::Loosened(self.role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn actor(role: Role, tenant: Option<&str>, teams: &[&str]) -> Actor {
        let teams = teams.iter().map(|team| TeamId::from(*team)).collect();
        Actor { name: "usr_1".to_owned(), role, tenant: tenant.map(TenantId::from), teams }
    }

    fn place<'a>(kind: Kind, tenant: Option<&'a str>, team: Option<&'a str>) -> Place<'a> {
        Place { kind, tenant, team }
    }

    fn policy(value: serde_json::Value) -> Policy {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn things_of_another_tenant_do_not_exist_for_any_role() {
        for role in Role::ALL {
            for permission in Permission::all() {
                for kind in Kind::ALL {
                    let theirs = place(kind, Some("ten_b"), None);
                    let denied = actor(role, Some("ten_a"), &[]).may_on(permission, theirs);
                    assert_eq!(denied, Err(Denied::Unseen(kind.as_str())), "{role:?} {permission}");
                }
            }
        }
    }

    #[test]
    fn a_developer_of_a_team_sees_that_team_alone() {
        let dev = actor(Role::Developer, Some("ten_a"), &["team_1"]);
        assert!(
            dev.may_on(Permission::Create(Kind::Key), place(Kind::Key, Some("ten_a"), Some("team_1")))
                .is_ok()
        );
        assert!(!dev.sees(place(Kind::Key, Some("ten_a"), Some("team_2"))));
        assert!(dev.sees(place(Kind::Tenant, Some("ten_a"), None)));
    }

    #[test]
    fn a_tenants_owner_neither_makes_tenants_nor_changes_the_installations_plans() {
        let owner = actor(Role::Owner, Some("ten_a"), &[]);
        let plan = place(Kind::Plan, None, None);
        assert!(owner.may_on(Permission::Read(Kind::Plan), plan).is_ok());
        assert_eq!(owner.may_on(Permission::Update(Kind::Plan), plan), Err(Denied::NotTheInstallation));
        let own = place(Kind::Tenant, Some("ten_a"), None);
        assert_eq!(owner.may_on(Permission::Delete(Kind::Tenant), own), Err(Denied::NotTheInstallation));
        assert_eq!(
            owner.may_on(Permission::Read(Kind::Provider), place(Kind::Provider, None, None)),
            Err(Denied::Unseen("provider"))
        );
    }

    #[test]
    fn nobody_makes_or_unmakes_a_user_above_themselves() {
        let admin = actor(Role::Admin, Some("ten_a"), &[]);
        assert!(admin.may_grant(None, Some(Role::Admin)).is_ok());
        assert_eq!(
            admin.may_grant(None, Some(Role::Owner)),
            Err(Denied::RoleAbove(Role::Admin, Role::Owner))
        );
        assert!(admin.may_grant(Some(Role::Owner), Some(Role::Developer)).is_err());
        assert!(admin.may_grant(Some(Role::Owner), None).is_err());
        assert!(actor(Role::Developer, None, &[]).may_grant(None, Some(Role::Developer)).is_err());
    }

    #[test]
    fn a_developer_tightens_policies_and_an_admin_does_as_they_please() {
        let before = policy(
            json!({"models": ["gpt-*"], "limits": [{"unit": "requests", "per": "minute", "amount": 10}]}),
        );
        let tighter = policy(
            json!({"models": ["gpt-5"], "limits": [{"unit": "requests", "per": "minute", "amount": 5}]}),
        );
        let looser = policy(json!({"models": ["gpt-5"]}));
        let dev = actor(Role::Developer, Some("ten_a"), &[]);
        assert!(dev.may_repolicy(&before, &tighter).is_ok());
        assert_eq!(dev.may_repolicy(&before, &looser), Err(Denied::Loosened(Role::Developer)));
        assert!(actor(Role::Admin, Some("ten_a"), &[]).may_repolicy(&before, &looser).is_ok());
    }
}
