//! Real servers behind the gateway, each with a small application: one spelling and one operation, tested with nginx,
//! Apache httpd, PHP, CGI, Tomcat, gunicorn and Express.

mod server_gateway;
mod overrides;
mod server;
mod spellings;
mod bypass_test;

pub(super) use bypass_test::{each, get, make_overrides, make_spellings, shown, times};
pub(super) use server::exchange;

use bypass_test::BypassTest;
use server::Server;

#[test]
fn nginx_serves_no_refused_file_under_any_spelling() {
    BypassTest::of(Server::nginx())
        .secret(["/secret", "/secret/s1"])
        .open(["/open", "/open/o2", "/files/o2"])
        .spellings("nginx", 150);
}

#[test]
fn apache_with_php_serves_no_refused_page_under_any_spelling() {
    BypassTest::of(Server::php()).secret(["/secret", "/secret/s1"]).open(["/open", "/open/o2"]).spellings("php", 250);
}

#[test]
fn a_cgi_script_serves_no_refused_path_under_any_spelling() {
    BypassTest::of(Server::cgi())
        .tries(1000)
        .secret(["/secret", "/secret/s1"])
        .open(["/open", "/open/o2"])
        .spellings("wsgi", 60);
}

#[test]
fn tomcat_serves_no_refused_servlet_under_any_spelling() {
    let secret = ["/secret", "/secret/s1", "/payroll.do"];
    BypassTest::of(Server::tomcat()).secret(secret).open(["/open", "/open/o2", "/report.do"]).spellings("tomcat", 250);
}

#[test]
fn gunicorn_with_flask_serves_no_refused_view_under_any_spelling() {
    BypassTest::of(Server::wsgi())
        .secret(["/secret", "/secret/s1"])
        .open(["/open", "/open/o2", "/files/a/b"])
        .spellings("wsgi", 150);
}

#[test]
fn express_serves_no_refused_route_under_any_spelling() {
    let open = ["/open", "/open/o2", "/files/a/b"];
    BypassTest::of(Server::express()).secret(["/secret", "/secret/s1"]).open(open).spellings("express", 100);
}

#[test]
fn php_deletes_nothing_for_a_caller_who_may_not() {
    BypassTest::of(Server::php()).overrides("php", 40);
}

#[test]
fn a_cgi_script_deletes_nothing_for_a_caller_who_may_not() {
    BypassTest::of(Server::cgi()).tries(300).overrides("wsgi", 3);
}

#[test]
fn tomcat_deletes_nothing_for_a_caller_who_may_not() {
    BypassTest::of(Server::tomcat()).overrides("spring", 40);
}

#[test]
fn flask_deletes_nothing_for_a_caller_who_may_not() {
    BypassTest::of(Server::wsgi()).overrides("wsgi", 20);
}

#[test]
fn express_deletes_nothing_for_a_caller_who_may_not() {
    BypassTest::of(Server::express()).overrides("express", 40);
}
