// One file, so that the runner does not run these at the same time: each suite wants both cores of a small machine for itself.
import './barrier.suite.js';
import './queue-threads.suite.js';
