//! Dialect: how each kind of upstream server interprets requests.

mod table;
mod traits;

pub use traits::{DialectTraits, Treatment};

/// Dialect: how the upstream of an API interprets paths, parameters and method overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// An unknown server: refuses everything to which another dialect gives a meaning.
    #[default]
    Strict,
    /// ASP.NET Core on Kestrel.
    Aspnet,
    /// ASP.NET and files on IIS.
    Iis,
    /// Servlets and JAX-RS on Tomcat.
    Tomcat,
    /// Spring MVC and WebFlux.
    Spring,
    /// PHP and CGI behind Apache or FPM, with Symfony, Laravel or no framework.
    Php,
    /// Django, Flask and other WSGI applications.
    Wsgi,
    /// Express on Node.js.
    Express,
    /// Files and locations of nginx.
    Nginx,
}

impl Dialect {
    /// The keywords of policies, in the order of help texts.
    pub const KEYWORDS: [(&'static str, Self); 9] = [
        (table::STRICT.name, Self::Strict),
        (table::ASPNET.name, Self::Aspnet),
        (table::IIS.name, Self::Iis),
        (table::TOMCAT.name, Self::Tomcat),
        (table::SPRING.name, Self::Spring),
        (table::PHP.name, Self::Php),
        (table::WSGI.name, Self::Wsgi),
        (table::EXPRESS.name, Self::Express),
        (table::NGINX.name, Self::Nginx),
    ];

    /// The keyword of this dialect in policies.
    pub fn as_str(self) -> &'static str {
        self.traits().name
    }

    /// The traits of its servers.
    pub fn traits(self) -> &'static DialectTraits {
        match self {
            Self::Strict => &table::STRICT,
            Self::Aspnet => &table::ASPNET,
            Self::Iis => &table::IIS,
            Self::Tomcat => &table::TOMCAT,
            Self::Spring => &table::SPRING,
            Self::Php => &table::PHP,
            Self::Wsgi => &table::WSGI,
            Self::Express => &table::EXPRESS,
            Self::Nginx => &table::NGINX,
        }
    }
}

#[cfg(test)]
mod tests;
