package kernels

// Slow is slow, for the tests outside.
var Slow = slow
