//! What the help of the admin API's clients shows, by command.

pub(super) const TENANTS: &str = "\
Example:
  tidegate tenants create acme --budget 500/month
  tidegate tenants list";

pub(super) const TEAMS: &str = "\
Example:
  tidegate teams create research --tenant acme --budget 25/month
  tidegate teams list --tenant acme";

pub(super) const APPS: &str = "\
Example:
  tidegate apps create bot --team research --limit 60requests/minute
  tidegate apps block bot";

pub(super) const KEYS: &str = "\
Example:
  tidegate keys create ci --team research --model 'gpt-*' --expires 90d
  tidegate keys rotate KEY --grace 24h";

pub(super) const USERS: &str = "\
Example:
  tidegate users create ada --tenant acme --role developer
  tidegate users list --json | jq .";

pub(super) const PLANS: &str = "\
Example:
  tidegate plans create gold --tenant acme --model 'claude-*' --limit 600requests/minute --needs-approval
  tidegate plans get gold";

pub(super) const SUBSCRIPTIONS: &str = "\
Example:
  tidegate subscriptions create --app bot --plan gold
  tidegate subscriptions approve SUBSCRIPTION";

pub(super) const USAGE: &str = "\
Example:
  tidegate usage --by team,model --since 7d
  tidegate usage --by key --bucket day --json | jq .";

pub(super) const VERSION: &str = "\
Example:
  tidegate version";

pub(super) const LIST: &str = "\
Example:
  tidegate keys list --team research
  tidegate teams list --tenant acme --json | jq .";

pub(super) const GET: &str = "\
Example:
  tidegate keys get KEY";

pub(super) const CREATE: &str = "\
Example:
  tidegate keys create ci --team research --budget 25/month
  tidegate teams create research --tenant acme";

pub(super) const SET: &str = "\
Example:
  tidegate teams set research --budget 50/month";

pub(super) const BLOCK: &str = "\
Example:
  tidegate keys block KEY";

pub(super) const UNBLOCK: &str = "\
Example:
  tidegate keys unblock KEY";

pub(super) const DELETE: &str = "\
Example:
  tidegate keys delete KEY";

pub(super) const ROTATE: &str = "\
Example:
  tidegate keys rotate KEY --grace 24h";

pub(super) const APPROVE: &str = "\
Example:
  tidegate subscriptions approve SUBSCRIPTION";

pub(super) const REFUSE: &str = "\
Example:
  tidegate subscriptions refuse SUBSCRIPTION --reason \"ask for the small plan\"";

pub(super) const REVOKE: &str = "\
Example:
  tidegate subscriptions revoke SUBSCRIPTION --reason \"the project has ended\"";

pub(super) const ROUTE: &str = "\
Examples:
  tidegate route explain request.json --config conf/tidegate.toml
  tidegate route replay logs/access.jsonl --config conf/next.toml";
