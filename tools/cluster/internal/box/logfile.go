//go:build linux

package box

import (
	"os"
)

// logLimit is the size in bytes at which a log file becomes the old one; a
// component never has more than twice as much on disk.
const logLimit = 10 << 20

// logFile is a log that keeps its size sane.
type logFile struct {
	path  string
	limit int64
	file  *os.File
	size  int64
}

// openLog opens a log for appending.
func openLog(path string) (*logFile, error) {
	l := &logFile{path: path, limit: logLimit}
	return l, l.open()
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Write implements io.Writer. At the limit the file is renamed to path.old,
// replacing the one before.
func (l *logFile) Write(p []byte) (int, error) {
	if l.size > 0 && l.size+int64(len(p)) > l.limit {
		if err := l.file.Close(); err != nil {
			return 0, err
		}
		if err := os.Rename(l.path, l.path+".old"); err != nil {
			return 0, err
		}
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(p)
	l.size += int64(n)
	return n, err
}

// Close implements io.Closer.
func (l *logFile) Close() error { return l.file.Close() }
