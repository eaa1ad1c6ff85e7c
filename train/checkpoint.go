package train

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"reflect"
)

// checkpointMagic begins a checkpoint; then come the length and the CRC-32C of what
// follows, 8 and 4 bytes, and the gob of a checkpoint.
const checkpointMagic = "macroscope training checkpoint 1\n"

// maxCheckpoint is the largest checkpoint that is read.
const maxCheckpoint = 2 << 30

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type checkpoint struct {
	Network   string
	Config    Config
	Threads   int
	Images    int
	Epoch     int
	Net       State
	Optimizer State
	Average   State
}

// WriteCheckpoint writes all that training after the last finished epoch depends
// on.
func (r *Run) WriteCheckpoint(w io.Writer) error {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(checkpoint{
		Network: r.net.g.Name, Config: r.config, Threads: r.net.options.Threads, Images: r.data.Len(), Epoch: r.epoch,
		Net: r.net.Snapshot(), Optimizer: r.optimizer.State(), Average: r.average,
	})
	if err != nil {
		return err
	}
	head := binary.LittleEndian.AppendUint64([]byte(checkpointMagic), uint64(b.Len()))
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(b.Bytes(), castagnoli))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// ReadCheckpoint makes the run what it was when the checkpoint was written. The run
// must have been made with the same network, configuration, data and number of
// threads, so that it goes on as it would have; the error says what differs. After
// an error the run is as before.
func (r *Run) ReadCheckpoint(in io.Reader) error {
	c, err := readCheckpoint(in)
	if err != nil {
		return err
	}
	want := checkpoint{Network: r.net.g.Name, Config: r.config, Threads: r.net.options.Threads, Images: r.data.Len()}
	for _, d := range []struct {
		what       string
		have, want any
	}{
		{"network", c.Network, want.Network}, {"threads", c.Threads, want.Threads}, {"training images", c.Images, want.Images},
	} {
		if d.have != d.want {
			return fmt.Errorf("its %s: %v, this run's: %v", d.what, d.have, d.want)
		}
	}
	have, now := reflect.ValueOf(c.Config), reflect.ValueOf(want.Config)
	for i := range have.NumField() {
		if h, n := have.Field(i).Interface(), now.Field(i).Interface(); h != n {
			return fmt.Errorf("its %s: %+v, this run's: %+v", have.Type().Field(i).Name, h, n)
		}
	}
	if c.Epoch < 0 || c.Epoch > r.config.Epochs {
		return fmt.Errorf("epoch %d: want 0 to %d", c.Epoch, r.config.Epochs)
	}
	// Check all before changing any.
	for _, part := range []struct {
		have, want State
		what       string
	}{{c.Net, r.net.Snapshot(), "network"}, {c.Optimizer, r.optimizer.State(), "optimizer"}, {c.Average, r.average, "average"}} {
		if err := part.have.fits(part.want, part.what); err != nil {
			return err
		}
	}
	r.net.Restore(c.Net)
	r.optimizer.State().set(c.Optimizer)
	r.average.set(c.Average)
	r.epoch = c.Epoch
	return nil
}

func readCheckpoint(in io.Reader) (*checkpoint, error) {
	head := make([]byte, len(checkpointMagic)+12)
	if _, err := io.ReadFull(in, head); err != nil || string(head[:len(checkpointMagic)]) != checkpointMagic {
		return nil, errors.New("not a training checkpoint of this version")
	}
	head = head[len(checkpointMagic):]
	n := binary.LittleEndian.Uint64(head)
	if n > maxCheckpoint {
		return nil, fmt.Errorf("checkpoint of %d bytes: want at most %d", n, maxCheckpoint)
	}
	var b bytes.Buffer // grows with what is really there
	if got, err := io.Copy(&b, io.LimitReader(in, int64(n))); err != nil {
		return nil, err
	} else if got != int64(n) {
		return nil, fmt.Errorf("checkpoint ends after %d of %d bytes", got, n)
	}
	if crc32.Checksum(b.Bytes(), castagnoli) != binary.LittleEndian.Uint32(head[8:]) {
		return nil, errors.New("checkpoint is damaged: its checksum differs")
	}
	c := &checkpoint{}
	if err := gob.NewDecoder(&b).Decode(c); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return c, nil
}
