//! Roles, and the verbs they permit on kinds of things. Deny by default: what is not listed is not
//! allowed, and a new kind or verb does not compile until somebody has decided.

use super::object::Kind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a user is to a tenant, or to the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, roles of others included.
    Owner,
    /// Everything but owners and the audit log's retention.
    Admin,
    /// Own apps, keys and subscriptions.
    Developer,
    /// Reads everything, secrets never.
    Auditor,
    /// Reads usage and cost; sets budgets and plans.
    Billing,
}

/// A verb on a kind of thing, or on what is no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    Read(Kind),
    Create(Kind),
    Update(Kind),
    Delete(Kind),
    /// Changes the budgets of a policy, and nothing else of the thing.
    SetBudgets,
    /// Sees or replaces a key's secret: rotation.
    RotateKey,
    /// Replaces a user's token.
    RotateToken,
    /// Approves, refuses or revokes a subscription.
    DecideSubscription,
    ReadUsage,
    ReadAudit,
    ReadConfig,
    WriteConfig,
    /// Health and targets: state, drain, enable.
    ReadHealth,
}

use Role::{Admin, Auditor, Billing, Developer, Owner};

const ALL: &[Role] = &[Owner, Admin, Developer, Auditor, Billing];
const RULE: &[Role] = &[Owner, Admin];
const RULE_AND_WORK: &[Role] = &[Owner, Admin, Developer];
const RULE_AND_LOOK: &[Role] = &[Owner, Admin, Auditor];
const RULE_AND_MONEY: &[Role] = &[Owner, Admin, Billing];
const WITHOUT_WORK: &[Role] = &[Owner, Admin, Auditor, Billing];

// === impl Role ===

impl Role {
    pub const ALL: [Role; 5] = [Owner, Admin, Developer, Auditor, Billing];

    pub const fn as_str(self) -> &'static str {
        match self {
            Owner => "owner",
            Admin => "admin",
            Developer => "developer",
            Auditor => "auditor",
            Billing => "billing",
        }
    }

    pub fn may(self, permission: Permission) -> bool {
        permission.holders().contains(&self)
    }

    /// Whether one in this role may make, change or remove users in role `other`. Implies that
    /// whatever `other` may do, this role may do too.
    pub const fn may_grant(self, other: Role) -> bool {
        match self {
            Owner => true,
            Admin => match other {
                Owner => false,
                Admin | Developer | Auditor | Billing => true,
            },
            Developer | Auditor | Billing => false,
        }
    }
}

// === impl Permission ===

impl Permission {
    /// Every verb on every kind, for tests and for documentation.
    pub fn all() -> Vec<Permission> {
        let verbs = [Permission::Read, Permission::Create, Permission::Update, Permission::Delete];
        let of_kinds = Kind::ALL.into_iter().flat_map(|kind| verbs.map(|verb| verb(kind)));
        let others = [
            Permission::SetBudgets,
            Permission::RotateKey,
            Permission::RotateToken,
            Permission::DecideSubscription,
            Permission::ReadUsage,
            Permission::ReadAudit,
            Permission::ReadConfig,
            Permission::WriteConfig,
            Permission::ReadHealth,
        ];
        of_kinds.chain(others).collect()
    }

    /// Who has it. Without a wildcard, so that nothing new is permitted by accident.
    fn holders(self) -> &'static [Role] {
        match self {
            Permission::Read(kind) => match kind {
                Kind::Tenant | Kind::Team | Kind::App | Kind::Key => ALL,
                Kind::Plan | Kind::Subscription | Kind::Model => ALL,
                Kind::User => WITHOUT_WORK,
                Kind::Provider => RULE_AND_LOOK,
            },
            Permission::Create(kind) => match kind {
                Kind::Tenant | Kind::Team | Kind::User => RULE,
                Kind::App | Kind::Key | Kind::Subscription => RULE_AND_WORK,
                Kind::Plan => RULE_AND_MONEY,
                Kind::Provider | Kind::Model => RULE,
            },
            Permission::Update(kind) => match kind {
                Kind::Tenant | Kind::Team | Kind::User => RULE,
                Kind::App | Kind::Key => RULE_AND_WORK,
                Kind::Subscription => RULE,
                Kind::Plan => RULE_AND_MONEY,
                Kind::Provider | Kind::Model => RULE,
            },
            Permission::Delete(kind) => match kind {
                Kind::Tenant | Kind::Team | Kind::User => RULE,
                Kind::App | Kind::Key | Kind::Subscription => RULE_AND_WORK,
                Kind::Plan => RULE_AND_MONEY,
                Kind::Provider | Kind::Model => RULE,
            },
            Permission::SetBudgets => RULE_AND_MONEY,
            Permission::RotateKey => RULE_AND_WORK,
            Permission::RotateToken | Permission::DecideSubscription => RULE,
            Permission::ReadUsage => ALL,
            Permission::ReadAudit | Permission::ReadConfig => RULE_AND_LOOK,
            Permission::WriteConfig => RULE,
            Permission::ReadHealth => ALL,
        }
    }
}

/// As in messages and documentation: `create key`.
impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Permission::Read(kind) => write!(f, "read {}", kind.as_str()),
            Permission::Create(kind) => write!(f, "create {}", kind.as_str()),
            Permission::Update(kind) => write!(f, "update {}", kind.as_str()),
            Permission::Delete(kind) => write!(f, "delete {}", kind.as_str()),
            Permission::SetBudgets => f.write_str("set budgets"),
            Permission::RotateKey => f.write_str("rotate key"),
            Permission::RotateToken => f.write_str("rotate token"),
            Permission::DecideSubscription => f.write_str("decide subscription"),
            Permission::ReadUsage => f.write_str("read usage"),
            Permission::ReadAudit => f.write_str("read audit"),
            Permission::ReadConfig => f.write_str("read config"),
            Permission::WriteConfig => f.write_str("write config"),
            Permission::ReadHealth => f.write_str("read health"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole matrix, as a reader would check it: o owner, a admin, d developer, u auditor,
    /// b billing.
    const MATRIX: &str = "\
read tenant           oadub
create tenant         oa...
update tenant         oa...
delete tenant         oa...
read team             oadub
create team           oa...
update team           oa...
delete team           oa...
read app              oadub
create app            oad..
update app            oad..
delete app            oad..
read key              oadub
create key            oad..
update key            oad..
delete key            oad..
read user             oa.ub
create user           oa...
update user           oa...
delete user           oa...
read plan             oadub
create plan           oa..b
update plan           oa..b
delete plan           oa..b
read subscription     oadub
create subscription   oad..
update subscription   oa...
delete subscription   oad..
read provider         oa.u.
create provider       oa...
update provider       oa...
delete provider       oa...
read model            oadub
create model          oa...
update model          oa...
delete model          oa...
set budgets           oa..b
rotate key            oad..
rotate token          oa...
decide subscription   oa...
read usage            oadub
read audit            oa.u.
read config           oa.u.
write config          oa...
read health           oadub
";

    #[test]
    fn the_matrix_of_roles_and_permissions_is_this_one() {
        let mut printed = String::new();
        for permission in Permission::all() {
            let marks = Role::ALL.iter().zip("oadub".chars());
            let marks: String = marks.map(|(role, c)| if role.may(permission) { c } else { '.' }).collect();
            printed.push_str(&format!("{:<21} {marks}\n", permission.to_string()));
        }
        println!("{printed}");
        assert_eq!(printed, MATRIX);
    }

    #[test]
    fn who_grants_a_role_may_do_all_that_the_role_may() {
        for (giver, given) in Role::ALL.into_iter().flat_map(|a| Role::ALL.map(|b| (a, b))) {
            if giver.may_grant(given) {
                for permission in Permission::all().into_iter().filter(|p| given.may(*p)) {
                    assert!(giver.may(permission), "{giver:?} grants {given:?}: {permission}");
                }
            }
        }
    }

    #[test]
    fn auditors_change_nothing() {
        let reads = |p: &Permission| p.to_string().starts_with("read ");
        assert!(Permission::all().iter().filter(|p| !reads(p)).all(|p| !Role::Auditor.may(*p)));
    }
}
