// Linked with C's library, so that a library can be loaded before it; its sockets are Go's own all the same.
package main

import "C"
