package main

import (
	"bytes"
	"testing"
)

// The bytes as GNU as writes them for {vex} vpdpbusd.
func TestEncodeVPDPBUSD(t *testing.T) {
	for _, c := range []struct {
		signed, unsigned, acc int
		want                  []byte
	}{
		{0, 1, 2, []byte{0xc4, 0xe2, 0x75, 0x50, 0xd0}},
		{9, 10, 7, []byte{0xc4, 0xc2, 0x2d, 0x50, 0xf9}},
		{3, 15, 11, []byte{0xc4, 0x62, 0x05, 0x50, 0xdb}},
		{14, 8, 12, []byte{0xc4, 0x42, 0x3d, 0x50, 0xe6}},
	} {
		if got := encodeVPDPBUSD(c.signed, c.unsigned, c.acc); !bytes.Equal(got, c.want) {
			t.Errorf("vpdpbusd ymm%d, ymm%d, ymm%d: got % x, want % x", c.acc, c.unsigned, c.signed, got, c.want)
		}
	}
}
