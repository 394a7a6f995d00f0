// Package estimate adds up what a stack costs a month, from list prices that are
// part of the release: no account, no network. It is an estimate: see the basis
// of each.
package estimate

import (
	"fmt"
	"strings"
)

// HoursAMonth is 365 days of 24 hours in twelve parts, as in AWS' calculator
// (docs.aws.amazon.com/pricing-calculator/latest/userguide/what-is-pricing-calculator.html).
const HoursAMonth = 730

// Line is one item of the bill.
type Line struct {
	// Item is what is paid for.
	Item string
	// Quantity of it, and the Unit.
	Quantity float64
	Unit     string
	// USD a month for one of Unit.
	USD float64
}

// Total is the item's price a month, in US dollars.
func (l Line) Total() float64 { return l.Quantity * l.USD }

// Estimate is the bill of a month.
type Estimate struct {
	// Basis says which prices these are, and of when.
	Basis string
	Lines []Line
	// LeftOut is what a bill may have besides.
	LeftOut string
}

// Total is the sum a month, in US dollars.
func (e Estimate) Total() float64 {
	sum := 0.0
	for _, l := range e.Lines {
		sum += l.Total()
	}
	return sum
}

// ByItem is the price of every item by its name, and "total", in US dollars.
func (e Estimate) ByItem() map[string]float64 {
	all := map[string]float64{"total": e.Total()}
	for _, l := range e.Lines {
		all[l.Item] = l.Total()
	}
	return all
}

// String is the bill as text, one item a line.
func (e Estimate) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "estimate: %.2f USD a month (%s)\n", e.Total(), e.Basis)
	for _, l := range e.Lines {
		fmt.Fprintf(&b, "%9.2f  %s: %g %s\n", l.Total(), l.Item, l.Quantity, l.Unit)
	}
	fmt.Fprintf(&b, "not in it: %s", e.LeftOut)
	return b.String()
}
