// Scene → SVG. Sizes in pixels; nothing here knows layouts.
#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "codegen/layout/draw_scene.h"

namespace tailor::codegen::layout {
namespace {

constexpr double kMargin = 24;
constexpr double kLegendWidth = 300;
constexpr double kLabel = 44;     // room for row numbers
constexpr int64_t kMaxBand = 64;  // columns side by side; the others follow below
constexpr std::string_view kInk = "#1b1f24";
constexpr std::string_view kPale = "#6b7280";
constexpr std::string_view kSoft = "#4b5563";  // an index, on any of the colours
constexpr double kCorner = 9.5;                // size of the numbers in the corners of a cell
constexpr double kDigit = 0.64;                // width of a digit, in sizes
constexpr std::string_view kBad = "#b42318";
constexpr std::string_view kGood = "#16703c";

// Keeps a number readable on a hatch.
constexpr std::string_view kHalo = " stroke=\"#ffffff\" stroke-width=\"3\" paint-order=\"stroke\"";

std::string escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&apos;";
        break;
      default:
        // XML has no control characters but tab and the ends of lines.
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

std::string hsl(double hue, double saturation, double lightness) {
  const double c = (1 - std::abs(2 * lightness - 1)) * saturation;
  const auto channel = [&](double n) {
    const double k = std::fmod(n + hue / 30, 12);
    const double value = lightness - c / 2 * std::max(-1.0, std::min({k - 3, 9 - k, 1.0}));
    return static_cast<int>(std::lround(255 * value));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", channel(0), channel(8), channel(4));
}

// Neighbouring owners get far hues: the golden angle never repeats.
std::string owner_colour(int64_t owner) {
  const double hue = std::fmod(210 + 137.508 * static_cast<double>(owner), 360);
  const double lightness = owner / 8 % 2 == 0 ? 0.84 : 0.74;
  return hsl(hue, 0.62, lightness);
}

std::string bank_colour(int64_t bank, int64_t banks, double lightness) {
  return hsl(330.0 * static_cast<double>(bank) / static_cast<double>(banks), 0.62, lightness);
}

std::string address_colour(int64_t address, int64_t lo, int64_t hi) {
  const double t = hi == lo ? 0 : static_cast<double>(address - lo) / static_cast<double>(hi - lo);
  return hsl(212, 0.62, 0.96 - 0.26 * t);
}

class Canvas {
 public:
  explicit Canvas(const Scene& scene) : scene_(scene) {
    // What stands in the corners must not touch: index and thread above, the bank below the address.
    size_t corner = fmt::to_string(scene.cells.size()).size();
    if (scene.threads > 0) corner += 1 + fmt::to_string(scene.threads - 1).size();
    for (const Cell& cell : scene.cells) sharers_ = std::max(sharers_, cell.sharers);
    if (sharers_ > 0) corner += 1 + fmt::to_string(sharers_).size();
    const double fits = kCorner * kDigit * static_cast<double>(corner) + 10;
    band_ = std::min(scene.columns, kMaxBand);
    cell_w_ = std::max(std::clamp(1000.0 / static_cast<double>(band_), 34.0, 64.0), fits);
    const double lines = scene.banks > 0 ? (scene.threads > 0 ? 47.0 : 43.0) : 32.0;
    cell_h_ = std::max(std::clamp(cell_w_ * 0.78, 30.0, 48.0), lines);
    size_t digits = 1;
    bool first = true;
    for (const Cell& cell : scene.cells) {
      if (cell.state == CellState::kGuarded) continue;
      lo_ = first ? cell.address : std::min(lo_, cell.address);
      hi_ = first ? cell.address : std::max(hi_, cell.address);
      first = false;
      digits = std::max(digits, fmt::to_string(cell.address).size());
    }
    address_size_ = std::min(17.0, cell_w_ * 0.86 / (0.62 * static_cast<double>(digits)));
    const bool row_passes = !scene.row_passes.empty();
    left_ = kMargin + kLabel + (scene.row_name.empty() ? 0 : 18);
    top_ = 112;
    grid_w_ = cell_w_ * static_cast<double>(band_);
    band_h_ = cell_h_ * static_cast<double>(scene.rows);
    band_step_ = band_h_ + (scene.column_passes.empty() ? 30 : 60);
    bands_ = (scene.columns + band_ - 1) / band_;
    grid_h_ = band_step_ * static_cast<double>(bands_ - 1) + band_h_;
    legend_x_ = left_ + grid_w_ + (row_passes ? 52 : 0) + 32;
  }

  std::string draw() {
    for (size_t i = 0; i < scene_.cells.size(); ++i) cell(i);
    if (scene_.vector > 0) vectors();
    for (int64_t b = 0; b < bands_; ++b) {
      out_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"frame\"/>\n",
                          left_, top_of(b), cell_w_ * static_cast<double>(columns_in(b)), band_h_);
    }
    axes();
    passes();
    legend();
    return document();
  }

 private:
  int64_t columns_in(int64_t band) const { return std::min(band_, scene_.columns - band * band_); }
  double top_of(int64_t band) const { return top_ + band_step_ * static_cast<double>(band); }
  double x_of_column(int64_t column) const { return left_ + cell_w_ * static_cast<double>(column % band_); }
  double x_of(size_t i) const { return x_of_column(static_cast<int64_t>(i) % scene_.columns); }
  double y_of(size_t i) const {
    const auto place = static_cast<int64_t>(i);
    return top_of(place % scene_.columns / band_) + cell_h_ * static_cast<double>(place / scene_.columns);
  }

  void rect(double x, double y, double w, double h, std::string_view fill, std::string_view extra = "") {
    out_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\" {}/>\n", x, y,
                        w, h, fill, extra);
  }

  void text(double x, double y, double size, std::string_view colour, std::string_view anchor, std::string_view words,
            bool bold = false, std::string_view extra = "") {
    out_ += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{:.1f}\" fill=\"{}\" text-anchor=\"{}\"{}{}>{}</text>\n", x, y,
        size, colour, anchor, bold ? " font-weight=\"bold\"" : "", extra, escape(words));
  }

  std::string fill_of(const Cell& cell) const {
    if (cell.state == CellState::kGuarded) return "#eceef1";
    if (scene_.threads > 0) return cell.thread ? owner_colour(*cell.thread) : "#ffffff";
    if (scene_.banks > 0) return bank_colour(*cell.bank, scene_.banks, 0.82);
    if (scene_.pieces > 1) return owner_colour(static_cast<int64_t>(cell.piece) + 1);
    return address_colour(cell.address, lo_, hi_);
  }

  void cell(size_t i) {
    const Cell& c = scene_.cells[i];
    const double x = x_of(i);
    const double y = y_of(i);
    rect(x, y, cell_w_, cell_h_, fill_of(c), "stroke=\"#9aa3af\" stroke-width=\"0.8\"");
    if (c.state == CellState::kGuarded) rect(x, y, cell_w_, cell_h_, "url(#guard)");
    if (c.state == CellState::kTail) rect(x, y, cell_w_, cell_h_, "url(#tail)");
    text(x + 3, y + 11, kCorner, kSoft, "start", fmt::to_string(c.index), false,
         c.state == CellState::kTail ? kHalo : "");
    if (c.state == CellState::kGuarded) {
      text(x + cell_w_ / 2, y + cell_h_ / 2 + 6, 15, kPale, "middle", "–");
      return;
    }
    if (c.thread) {
      text(x + cell_w_ - 3, y + 11, kCorner, kInk, "end",
           c.sharers > 0 ? fmt::format("t{}+{}", *c.thread, c.sharers) : fmt::format("t{}", *c.thread));
    }
    if (c.sharers > 0) shared_frame(x, y, cell_w_, cell_h_);
    text(x + cell_w_ / 2, y + cell_h_ / 2 + 7, address_size_, kInk, "middle", fmt::to_string(c.address), true,
         c.state == CellState::kTail ? kHalo : "");
    if (!c.bank) return;
    if (scene_.threads > 0) rect(x + 1, y + cell_h_ - 5, cell_w_ - 2, 4, bank_colour(*c.bank, scene_.banks, 0.5));
    text(x + cell_w_ - 3, y + cell_h_ - (scene_.threads > 0 ? 7 : 4), kCorner, kInk, "end",
         fmt::format("b{}", *c.bank));
  }

  // Around what several threads own.
  void shared_frame(double x, double y, double w, double h) {
    rect(x + 1.5, y + 1.5, w - 3, h - 3, "none", fmt::format("stroke=\"{}\" stroke-width=\"2\"", kBad));
  }

  int64_t vector_of(const Cell& c) const {
    const int64_t v = scene_.vector;
    return c.address / v - (c.address % v < 0 ? 1 : 0);
  }

  bool same_vector(size_t a, size_t b) const {
    const Cell& x = scene_.cells[a];
    const Cell& y = scene_.cells[b];
    if (x.state == CellState::kGuarded || y.state == CellState::kGuarded) return x.state == y.state;
    return vector_of(x) == vector_of(y);
  }

  // A heavy line between neighbours of different vectors, in the direction along which vectors run.
  void vectors() {
    const auto columns = static_cast<size_t>(scene_.columns);
    bool along_rows = false;
    for (size_t i = 1; i < scene_.cells.size(); ++i) along_rows |= i % columns != 0 && same_vector(i - 1, i);
    for (size_t i = 0; i < scene_.cells.size(); ++i) {
      if (along_rows ? i % columns == 0 || same_vector(i - 1, i) : i < columns || same_vector(i - columns, i)) continue;
      const double x = x_of(i);
      const double y = y_of(i);
      out_ += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"vector\"/>\n", x, y,
                          along_rows ? x : x + cell_w_, along_rows ? y + cell_h_ : y);
    }
  }

  void axes() {
    text(kMargin, 40, 22, kInk, "start", scene_.title, true);
    text(kMargin, 62, 13, kPale, "start", scene_.subtitle);
    text(left_ + grid_w_ / 2, top_ - 24, 13, kInk, "middle", scene_.column_name + " →");
    for (int64_t c = 0; c < scene_.columns; ++c) {
      text(x_of_column(c) + cell_w_ * 0.5, top_of(c / band_) - 7, 12, kPale, "middle", fmt::to_string(c));
    }
    for (int64_t b = 0; b < bands_; ++b) {
      for (int64_t r = 0; r < scene_.rows; ++r) {
        text(left_ - 8, top_of(b) + cell_h_ * (static_cast<double>(r) + 0.5) + 4, 12, kPale, "end", fmt::to_string(r));
      }
    }
    if (!scene_.row_name.empty()) {
      const double x = kMargin + 8;
      const double y = top_ + grid_h_ / 2;
      text(x, y, 13, kInk, "middle", "← " + scene_.row_name, false,
           fmt::format(" transform=\"rotate(-90 {:.1f} {:.1f})\"", x, y));
    }
  }

  void passes() {
    for (size_t r = 0; r < scene_.row_passes.size(); ++r) {
      const Scene::Passes& n = scene_.row_passes[r];
      text(left_ + cell_w_ * static_cast<double>(columns_in(bands_ - 1)) + 10,
           top_of(bands_ - 1) + cell_h_ * (static_cast<double>(r) + 0.5) + 5, 14, n.cost > n.ideal ? kBad : kGood,
           "start", fmt::format("×{}", n.cost), true);
    }
    for (size_t c = 0; c < scene_.column_passes.size(); ++c) {
      const Scene::Passes& n = scene_.column_passes[c];
      const auto column = static_cast<int64_t>(c);
      text(x_of_column(column) + cell_w_ * 0.5, top_of(column / band_) + band_h_ + 20, 14,
           n.cost > n.ideal ? kBad : kGood, "middle", fmt::format("×{}", n.cost), true);
    }
  }

  void swatch(std::string_view fill, std::string_view words, std::string_view hatch = "") {
    rect(legend_x_, legend_y_, 26, 18, fill, "stroke=\"#9aa3af\" stroke-width=\"0.8\"");
    if (!hatch.empty()) rect(legend_x_, legend_y_, 26, 18, hatch);
    text(legend_x_ + 36, legend_y_ + 14, 13, kInk, "start", words);
    legend_y_ += 25;
  }

  // Lines of at most `width` characters, broken at spaces.
  void paragraph(std::string_view words, size_t width) {
    while (!words.empty()) {
      size_t end = words.size() <= width ? words.size() : words.rfind(' ', width);
      if (end == std::string_view::npos || end == 0) end = std::min(width, words.size());
      // A character of several bytes is not split.
      while (end < words.size() && (static_cast<unsigned char>(words[end]) & 0xC0) == 0x80) ++end;
      text(legend_x_, legend_y_ + 12, 12, kInk, "start", words.substr(0, end));
      legend_y_ += 17;
      words.remove_prefix(end);
      while (!words.empty() && words.front() == ' ') words.remove_prefix(1);
    }
    legend_y_ += 6;
  }

  // One cell, enlarged, that names what stands where.
  void sample() {
    rect(legend_x_, legend_y_, 64, 46, "#ffffff", "stroke=\"#9aa3af\"");
    text(legend_x_ + 4, legend_y_ + 12, 10, kPale, "start", "i");
    text(legend_x_ + 32, legend_y_ + 30, 17, kInk, "middle", "a", true);
    text(legend_x_ + 76, legend_y_ + 14, 13, kInk, "start", "i  index");
    text(legend_x_ + 76, legend_y_ + 31, 13, kInk, "start", "a  address (elements)", false);
    double line = 48;
    if (scene_.threads > 0) {
      text(legend_x_ + 60, legend_y_ + 12, 10, kInk, "end", "t");
      text(legend_x_ + 76, legend_y_ + line, 13, kInk, "start", "t  thread");
      line += 17;
    }
    if (scene_.banks > 0) {
      text(legend_x_ + 60, legend_y_ + 41, 10, kInk, "end", "b");
      text(legend_x_ + 76, legend_y_ + line, 13, kInk, "start", "b  bank of the first byte");
      line += 17;
    }
    legend_y_ += std::max(62.0, line + 2);
  }

  void bank_scale() {
    const double step = 224.0 / static_cast<double>(scene_.banks);
    for (int64_t b = 0; b < scene_.banks; ++b) {
      rect(legend_x_ + step * static_cast<double>(b), legend_y_, step + 0.3, 16,
           bank_colour(b, scene_.banks, scene_.threads > 0 ? 0.5 : 0.82));
    }
    text(legend_x_, legend_y_ + 31, 12, kInk, "start", "bank 0");
    text(legend_x_ + 224, legend_y_ + 31, 12, kInk, "end", fmt::format("bank {}", scene_.banks - 1));
    legend_y_ += 44;
  }

  void legend() {
    legend_y_ = top_ - 22;
    sample();
    const int64_t shown = std::min<int64_t>(scene_.threads, 8);
    for (int64_t t = 0; t < shown; ++t) {
      swatch(owner_colour(t), t == shown - 1 && scene_.threads > shown
                                  ? fmt::format("thread {}, and so on to {}", t, scene_.threads - 1)
                                  : fmt::format("thread {}", t));
    }
    if (sharers_ > 0) {
      shared_frame(legend_x_, legend_y_, 26, 18);
      text(legend_x_ + 36, legend_y_ + 14, 13, kInk, "start", "t+n: owned by n further threads too");
      legend_y_ += 25;
    }
    if (scene_.banks > 0) bank_scale();
    if (scene_.threads == 0 && scene_.banks == 0 && scene_.pieces > 1) {
      for (size_t p = 0; p < std::min<size_t>(scene_.pieces, 8); ++p) {
        swatch(owner_colour(static_cast<int64_t>(p) + 1), "piece: " + scene_.piece_texts[p].substr(0, 40));
      }
    }
    if (scene_.threads == 0 && scene_.banks == 0 && scene_.pieces == 1) {
      swatch(address_colour(0, 0, 1), fmt::format("lowest address, {}", lo_));
      swatch(address_colour(1, 0, 1), fmt::format("highest address, {}", hi_));
    }
    const auto any = [this](CellState state) {
      return std::any_of(scene_.cells.begin(), scene_.cells.end(), [state](const Cell& c) { return c.state == state; });
    };
    if (any(CellState::kGuarded)) swatch("#eceef1", "outside the guard: no access", "url(#guard)");
    if (any(CellState::kTail)) swatch("#ffffff", "tail: vector not whole", "url(#tail)");
    if (scene_.vector > 0) {
      out_ += fmt::format("<line x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\" class=\"vector\"/>\n",
                          legend_x_ + 13, legend_y_, legend_y_ + 18);
      text(legend_x_ + 36, legend_y_ + 14, 13, kInk, "start", fmt::format("edge of a vector of {}", scene_.vector));
      legend_y_ += 25;
    }
    legend_y_ += 4;
    for (const std::string& note : scene_.notes) paragraph(note, 44);
  }

  std::string document() const {
    // A title longer than the grid still has its room.
    const double title = kMargin * 2 + 13.5 * static_cast<double>(scene_.title.size());
    const double width = std::max(legend_x_ + kLegendWidth, title);
    const double grid_end = top_ + grid_h_ + (scene_.column_passes.empty() ? 0 : 30);
    const double height = std::max(grid_end, legend_y_) + kMargin;
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} "
               "{1:.0f}\" "
               "font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\">\n"
               "<title>{2}</title>\n"
               "<defs>\n"
               "<pattern id=\"guard\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" "
               "patternTransform=\"rotate(45)\">"
               "<line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"7\" stroke=\"#b3bac4\" stroke-width=\"2.4\"/></pattern>\n"
               "<pattern id=\"tail\" width=\"9\" height=\"9\" patternUnits=\"userSpaceOnUse\" "
               "patternTransform=\"rotate(-45)\">"
               "<line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"9\" stroke=\"#e8590c\" stroke-opacity=\"0.75\" "
               "stroke-width=\"2.6\"/></pattern>\n"
               "<style>.frame{{fill:none;stroke:#1b1f24;stroke-width:1.6}}"
               ".vector{{stroke:#1b1f24;stroke-width:2.4}}</style>\n"
               "</defs>\n"
               "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
               width, height, escape(scene_.title)) +
           out_ + "</svg>\n";
  }

  const Scene& scene_;
  std::string out_;
  double cell_w_ = 0, cell_h_ = 0, address_size_ = 0;
  int64_t band_ = 1, bands_ = 1;  // columns in a band; bands
  double band_h_ = 0, band_step_ = 0;
  int64_t sharers_ = 0;                                  // most of a cell
  double left_ = 0, top_ = 0, grid_w_ = 0, grid_h_ = 0;  // of all bands
  double legend_x_ = 0, legend_y_ = 0;
  int64_t lo_ = 0, hi_ = 0;
};

}  // namespace

std::string to_svg(const Scene& scene) { return Canvas(scene).draw(); }

}  // namespace tailor::codegen::layout
