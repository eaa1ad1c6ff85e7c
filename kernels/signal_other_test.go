//go:build !unix

package kernels

import "testing"

// disturbBySignal does nothing: the system has no signals.
func disturbBySignal(*testing.T) {}
