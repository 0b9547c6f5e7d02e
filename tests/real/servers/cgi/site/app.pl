#!/usr/bin/perl
# A CGI script (RFC 3875): the route is PATH_INFO, whatever the script's name.
use strict;
use warnings;

my $path = $ENV{PATH_INFO} // '';
my ($first, @more) = split m{/}, $path =~ s{^/}{}r;
$first //= '';
my $resource = $first eq 'secret' ? 'secret' : $first eq 'open' || @more == 1 ? 'open' : 'none';
my $method = $ENV{REQUEST_METHOD};
$method = uc $ENV{HTTP_X_HTTP_METHOD_OVERRIDE} if $method eq 'POST' && $ENV{HTTP_X_HTTP_METHOD_OVERRIDE};
open my $journal, '>>', $ENV{JOURNAL} or die $!;
syswrite $journal, join("\t", $ENV{HTTP_X_PORTCULLIS_DECISION} // '', $method, $resource, $path) . "\n";
my %marker = (open => 'OPEN-9b1c', secret => 'SECRET-7f3a', none => 'nothing');
print 'Status: ', $resource eq 'none' ? 404 : 200, "\r\nContent-Type: text/plain\r\n\r\n", $marker{$resource}, "\n";
print "DELETED\n" if $method eq 'DELETE' && $resource ne 'none';
