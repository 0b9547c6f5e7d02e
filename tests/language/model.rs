//! A policy as plain data for the reference evaluator, with its callers and requests.

/// Name: all names come from short lists, so that they often coincide.
pub(crate) type Name = &'static str;

/// Cell: an operation on a resource.
pub(crate) type Cell = (Name, Name);

/// Bound: for each scope name the matching values.
pub(crate) type Bound = Vec<(Name, Vec<Name>)>;

/// PolicyModel: one policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct PolicyModel {
    /// The API's path dialect; empty if the policy does not set it.
    pub(crate) dialect: Name,
    /// The declared scopes, and whether each is `caller`.
    pub(crate) scopes: Vec<(Name, bool)>,
    pub(crate) routes: Vec<Route>,
    pub(crate) resources: Vec<Name>,
    /// Field sets with the resources that they list.
    pub(crate) fields: Vec<(Name, Vec<Name>)>,
    pub(crate) rows: Vec<Row>,
    pub(crate) everyone: Vec<Name>,
    pub(crate) service_apps: Option<ServiceApps>,
    pub(crate) gates: Vec<Gate>,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) groups: Vec<Group>,
    pub(crate) roles: Vec<Role>,
    pub(crate) users: Vec<User>,
    pub(crate) one_role: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// The template without its query.
    pub(crate) path: Name,
    /// The scopes that the query carries.
    pub(crate) query: Vec<Name>,
    pub(crate) methods: Vec<Method>,
}

#[derive(Debug, Clone)]
pub(crate) struct Method {
    pub(crate) name: Name,
    pub(crate) need: Need,
    pub(crate) across: Vec<Name>,
    pub(crate) when: Option<Name>,
}

#[derive(Debug, Clone)]
pub(crate) enum Need {
    Public,
    Nobody,
    All(Vec<Cell>),
    /// Media ranges and the cells of each, in the order of writing.
    ByType(Vec<(Name, Vec<Cell>)>),
}

impl Need {
    /// All cells that it names.
    pub(crate) fn cells(&self) -> Vec<Cell> {
        match self {
            Self::Public | Self::Nobody => Vec::new(),
            Self::All(cells) => cells.clone(),
            Self::ByType(types) => types.iter().flat_map(|(_, cells)| cells.clone()).collect(),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: Name,
    pub(crate) cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServiceApps {
    All,
    EveryPermission,
}

#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) name: Name,
    pub(crate) by: By,
    /// The rows that it lists, and whether it closes all others instead of these.
    pub(crate) rows: Vec<Name>,
    pub(crate) except: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum By {
    Approval { keys: Vec<Name>, asked_by: Vec<Cell>, granted: Vec<Vec<Name>> },
    Feature,
    Condition(Name),
}

#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) name: Name,
    pub(crate) features: Vec<Name>,
    pub(crate) within: Vec<Bound>,
}

#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: Name,
    pub(crate) profile: Option<Name>,
    pub(crate) permissions: Vec<Name>,
    pub(crate) without: Vec<Name>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Role {
    pub(crate) name: Name,
    pub(crate) includes: Vec<Name>,
    pub(crate) permissions: Vec<Name>,
    pub(crate) within: Vec<(Bound, Vec<Name>)>,
    pub(crate) policy_only: bool,
    pub(crate) assign_within: Vec<Name>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct User {
    pub(crate) id: Name,
    pub(crate) group: Option<Name>,
    pub(crate) roles: Option<Vec<Assignment>>,
    pub(crate) permissions: Vec<Name>,
    pub(crate) without: Vec<Name>,
    pub(crate) tenants: Option<Vec<Name>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Assignment {
    pub(crate) role: Name,
    pub(crate) bound: Bound,
    pub(crate) when: Option<Name>,
}

/// Caller: a caller with all claims of its token.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub(crate) kind: Kind,
    /// Whether an invalid credential was presented.
    pub(crate) invalid: bool,
    pub(crate) id: Option<Name>,
    pub(crate) client: Option<Name>,
    pub(crate) tenants: Vec<Name>,
    pub(crate) roles: Vec<Assignment>,
    pub(crate) groups: Vec<Name>,
    pub(crate) permissions: Vec<Name>,
    /// Gates with an approval stated for the caller.
    pub(crate) approved: Vec<Name>,
    /// Whether the token's `acr` is `mfa`; otherwise it has no such claim.
    pub(crate) mfa: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    #[default]
    Anonymous,
    User,
    Service,
}

/// Request: a method, a path, and a query by its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Name,
    pub(crate) path: String,
    pub(crate) query: Vec<(Name, Name)>,
    /// Whether every dialect accepts the path.
    pub(crate) readable: bool,
    /// The known type of the response.
    pub(crate) response: ResponseType,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ResponseType {
    #[default]
    Unknown,
    /// This `Content-Type`, or none, or several.
    ContentType(Option<Name>),
}

impl Request {
    /// The target as in a request line.
    pub(crate) fn target(&self) -> String {
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, query.join("&")) }
    }
}

impl PolicyModel {
    /// The row with that name.
    pub(crate) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// The role with that name.
    pub(crate) fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// The entry of an id under `users:`.
    pub(crate) fn user(&self, id: Option<Name>) -> Option<&User> {
        self.users.iter().find(|user| Some(user.id) == id)
    }
}
