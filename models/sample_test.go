package models_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"macroscope/cifar10"
	"macroscope/internal/shared"
	"macroscope/models"
)

var update = flag.Bool("update", false, "write cifar10-sample.bin anew from the official test_batch.bin")

// officialTest is the official set's test images; the test is skipped without.
func officialTest(t *testing.T) *cifar10.Set {
	t.Helper()
	set, err := cifar10.LoadTest(shared.CIFAR10(t))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestSample builds the sample from the official test images and compares it with
// the file; with -update it writes the file instead.
func TestSample(t *testing.T) {
	set := officialTest(t)
	var want []byte
	var count [cifar10.Classes]int
	for i, label := range set.Labels {
		if count[label]++; count[label] <= 100 {
			want = append(want, label)
			want = append(want, set.Image(i)...)
		}
	}
	if *update {
		f, err := os.CreateTemp(".", ".sample-*")
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(f.Name())
		if _, err := f.Write(want); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(f.Name(), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(f.Name(), "cifar10-sample.bin"); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(models.Sample(), want) {
		t.Error("the sample is not the first 100 of each class in file order: run go test ./models -run TestSample -update")
	}
	// TestLogits relies on this.
	for i := range 100 {
		if !bytes.Equal(sample(t).Image(i), set.Image(i)) {
			t.Fatalf("image %d of the sample is not test image %d", i, i)
		}
	}
}

func TestSampleCounts(t *testing.T) {
	set := sample(t)
	var count [cifar10.Classes]int
	for _, label := range set.Labels {
		count[label]++
	}
	for label, n := range count {
		if n != 100 {
			t.Errorf("%d images of class %s: want 100", n, cifar10.ClassNames[label])
		}
	}
	if len(models.Sample()) != 3073000 {
		t.Errorf("%d bytes: want 3073000", len(models.Sample()))
	}
}
