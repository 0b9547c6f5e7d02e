<?php
require __DIR__ . '/journal.inc';
serve('secret', '/secret' . ($_SERVER['PATH_INFO'] ?? ''));
