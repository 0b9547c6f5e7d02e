<?php
require __DIR__ . '/journal.inc';
serve('open', '/open' . ($_SERVER['PATH_INFO'] ?? ''));
