<?php
// A front controller: the route follows the script's name, or is the whole path if Apache fell back to this script.
require __DIR__ . '/journal.inc';
$path = $_SERVER['PATH_INFO'] ?? rawurldecode(strtok($_SERVER['REQUEST_URI'], '?'));
$segments = explode('/', trim($path, '/'));
if ($segments[0] === 'secret' || $segments[0] === 'vault') {
    serve('secret', $path);
} elseif ($segments[0] === 'open' || count($segments) === 2) {
    serve('open', $path);
} else {
    serve('none', $path);
}
