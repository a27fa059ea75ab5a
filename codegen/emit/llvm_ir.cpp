#include "codegen/emit/llvm_ir.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <llvm/IR/DIBuilder.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicsNVPTX.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>

#include "codegen/emit/address.h"
#include "codegen/emit/llvm_assembly.h"
#include "codegen/kernel/rules.h"

namespace tailor::codegen::emit {
namespace {

using kernel::Compare;
using kernel::Instruction;
using kernel::Op;
using kernel::Program;
using kernel::Region;
using kernel::Special;
using kernel::Type;
using kernel::ValueId;

constexpr unsigned kGlobal = 1;  // NVPTX's address spaces
constexpr unsigned kShared = 3;
constexpr const char* kSharedName = "tailor_shared";

// How an access of a type is spelled in PTX.
struct AccessForm {
  const char* suffix;      // vector suffix and element
  const char* zero;        // the move that clears one element
  const char* constraint;  // NVPTX inline assembly: h = b16, r = b32, l = b64
  unsigned elements;
};
AccessForm access_form(Type type) {
  switch (kernel::bytes_of(type)) {
    case 1:
      return {"u8", "mov.b16", "h", 1};  // PTX has no 8-bit registers; ld.u8 zero-extends
    case 2:
      return {"u16", "mov.b16", "h", 1};
    case 4:
      return {"u32", "mov.b32", "r", 1};
    case 8:
      return {"u64", "mov.b64", "l", 1};
    default:
      return {"v4.u32", "mov.b32", "r", 4};
  }
}

class ModuleBuilder {
 public:
  ModuleBuilder(const Program& program, llvm::LLVMContext& context)
      : program_(program),
        context_(context),
        module_(std::make_unique<llvm::Module>(program.entry, context)),
        b_(context),
        asm_(b_),
        values_(program.values.size(), nullptr),
        addresses_(fold_addresses(program)) {}

  Expected<std::unique_ptr<llvm::Module>> run(const llvm::TargetMachine& machine) {
    module_->setTargetTriple(machine.getTargetTriple().str());
    module_->setDataLayout(machine.createDataLayout());
    declare();
    region(program_.body);
    b_.CreateRetVoid();

    std::string message;
    llvm::raw_string_ostream stream(message);
    if (llvm::verifyModule(*module_, &stream))
      return internal_error(fmt::format("kernel @{}: LLVM refuses the module: {}", program_.entry, message));
    return std::move(module_);
  }

 private:
  llvm::Type* type(Type t) {
    switch (t) {
      case Type::kPred:
        return b_.getInt1Ty();
      case Type::kI32:
      case Type::kB32:
      case Type::kSptr:  // ld.shared and st.shared take 32-bit addresses
        return b_.getInt32Ty();
      case Type::kI64:
      case Type::kB64:
        return b_.getInt64Ty();
      case Type::kF32:
        return b_.getFloatTy();
      case Type::kPtr:
        return b_.getPtrTy(kGlobal);
      case Type::kB8:  // zero-extended, as ld.u8 leaves it
      case Type::kB16:
        return b_.getInt16Ty();
      case Type::kB128:
        break;
    }
    llvm::Type* word = b_.getInt32Ty();  // as inline assembly returns it; a vector would be taken apart again and again
    return llvm::StructType::get(context_, {word, word, word, word});
  }
  llvm::Type* type_of(ValueId v) { return type(program_.type_of(v)); }
  llvm::Value* at(ValueId v) const { return values_[v]; }

  // The kernel, its annotations, and a compile unit that yields .loc and .file lines and no debug sections.
  void declare() {
    std::vector<llvm::Type*> parameters;
    for (const kernel::Parameter& parameter : program_.parameters) parameters.push_back(type_of(parameter.value));
    function_ = llvm::Function::Create(llvm::FunctionType::get(b_.getVoidTy(), parameters, false),
                                       llvm::GlobalValue::ExternalLinkage, program_.entry, *module_);
    for (size_t k = 0; k < program_.parameters.size(); ++k) {
      const kernel::Parameter& parameter = program_.parameters[k];
      llvm::Argument* argument = function_->getArg(static_cast<unsigned>(k));
      argument->setName(program_.values[parameter.value].name);
      if (parameter.read_only) argument->addAttr(llvm::Attribute::ReadOnly);
      values_[parameter.value] = argument;
    }
    function_->addFnAttr(llvm::Attribute::NoUnwind);
    // Keeps the load-store vectorizer away: an access of the program is an access of the PTX.
    function_->addFnAttr(llvm::Attribute::NoImplicitFloat);

    llvm::NamedMDNode* annotations = module_->getOrInsertNamedMetadata("nvvm.annotations");
    auto annotate = [&](const char* key, uint32_t value) {
      llvm::Metadata* node[] = {llvm::ValueAsMetadata::get(function_), llvm::MDString::get(context_, key),
                                llvm::ConstantAsMetadata::get(b_.getInt32(value))};
      annotations->addOperand(llvm::MDNode::get(context_, node));
    };
    annotate("kernel", 1);
    annotate("reqntidx", program_.block_threads);
    annotate("reqntidy", 1);
    annotate("reqntidz", 1);

    module_->addModuleFlag(llvm::Module::Warning, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
    llvm::DIBuilder debug(*module_);
    llvm::DIFile* file = debug.createFile("access", "");
    debug.createCompileUnit(llvm::dwarf::DW_LANG_C, file, "tailor", true, "", 0, "",
                            llvm::DICompileUnit::DebugDirectivesOnly);
    scope_ = debug.createFunction(file, program_.entry, "", file, 0,
                                  debug.createSubroutineType(debug.getOrCreateTypeArray({})), 0, llvm::DINode::FlagZero,
                                  llvm::DISubprogram::SPFlagDefinition);
    function_->setSubprogram(scope_);
    debug.finalize();

    if (program_.shared_bytes != 0) {
      llvm::Type* bytes = llvm::ArrayType::get(b_.getInt8Ty(), program_.shared_bytes);
      auto* shared = new llvm::GlobalVariable(*module_, bytes, false, llvm::GlobalValue::InternalLinkage,
                                              llvm::UndefValue::get(bytes), kSharedName, nullptr,
                                              llvm::GlobalValue::NotThreadLocal, kShared);
      shared->setAlignment(llvm::Align(kernel::rules::kSharedAlign));
    }
    b_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", function_));
  }

  llvm::BasicBlock* block(const char* name) { return llvm::BasicBlock::Create(context_, name, function_); }

  // Everything but the terminator, whose operands the owner of the region reads.
  void region(const Region& r) {
    for (const Instruction& i : r.body) {
      if (i.op != Op::kYield && i.op != Op::kCondition) instruction(i);
    }
  }

  void instruction(const Instruction& i) {
    llvm::Value* result = nullptr;
    switch (i.op) {
      case Op::kFor:
        return for_loop(i);
      case Op::kWhile:
        return while_loop(i);
      case Op::kIf:
        return if_else(i);
      case Op::kLoad:
      case Op::kStore:
      case Op::kAtomicMaxU64:
        b_.SetCurrentDebugLocation(llvm::DILocation::get(context_, i.access, 0, scope_));
        result = memory(i);
        b_.SetCurrentDebugLocation(llvm::DebugLoc());
        break;
      case Op::kUnpack:
        return define_all(
            i, asm_.unpack(program_.type_of(i.operands[0]), program_.type_of(i.results[0]), at(i.operands[0])));
      case Op::kDecode:
        return define_all(i, asm_.decode(i.format, i.results.size(), at(i.operands[0])));
      default:
        result = arithmetic(i);
    }
    if (i.results.empty()) return;
    values_[i.results[0]] = result;
    if (!llvm::isa<llvm::Constant>(result)) result->setName(program_.values[i.results[0]].name);
  }

  llvm::Value* arithmetic(const Instruction& i) {
    auto a = [&](size_t k) { return at(i.operands[k]); };
    switch (i.op) {
      case Op::kConstant:
        return constant(i);
      case Op::kSpecial:
        return b_.CreateIntrinsic(special(i.special), {}, {});
      case Op::kAdd:
        return b_.CreateAdd(a(0), a(1));
      case Op::kSub:
        return b_.CreateSub(a(0), a(1));
      case Op::kMul:
        return b_.CreateMul(a(0), a(1));
      case Op::kMulHighU:
        return b_.CreateIntrinsic(
            a(0)->getType()->isIntegerTy(32) ? llvm::Intrinsic::nvvm_mulhi_ui : llvm::Intrinsic::nvvm_mulhi_ull, {},
            {a(0), a(1)});
      case Op::kMinS:
        return b_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, a(0), a(1));
      case Op::kMaxS:
        return b_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, a(0), a(1));
      case Op::kMinU:
        return b_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, a(0), a(1));
      case Op::kMaxU:
        return b_.CreateBinaryIntrinsic(llvm::Intrinsic::umax, a(0), a(1));
      case Op::kAnd:
        return b_.CreateAnd(a(0), a(1));
      case Op::kOr:
        return b_.CreateOr(a(0), a(1));
      case Op::kXor:
        return b_.CreateXor(a(0), a(1));
      case Op::kNot:
        return b_.CreateNot(a(0));
      case Op::kShl:
        return b_.CreateShl(a(0), a(1));
      case Op::kShrU:
        return b_.CreateLShr(a(0), a(1));
      case Op::kShrS:
        return b_.CreateAShr(a(0), a(1));
      case Op::kCompare:
        return b_.CreateICmp(predicate(i.compare), a(0), a(1));
      case Op::kSelect:
        return b_.CreateSelect(a(0), a(1), a(2));
      case Op::kSignExtend:
        return b_.CreateSExt(a(0), b_.getInt64Ty());
      case Op::kZeroExtend:
        return b_.CreateZExt(a(0), type_of(i.results[0]));
      case Op::kTruncate:
        return b_.CreateTrunc(a(0), b_.getInt32Ty());
      case Op::kFAdd:
        return float_op("add.rn.f32 $0, $1, $2;", i);
      case Op::kFSub:
        return float_op("sub.rn.f32 $0, $1, $2;", i);
      case Op::kFMul:
        return float_op("mul.rn.f32 $0, $1, $2;", i);
      case Op::kFma:
        return float_op("fma.rn.f32 $0, $1, $2, $3;", i);
      case Op::kBitcast:
        return b_.CreateBitCast(a(0), type_of(i.results[0]));
      case Op::kPack:
        return asm_.pack(program_.type_of(i.operands[0]), program_.type_of(i.results[0]), all_at(i.operands));
      case Op::kEncode:
        return asm_.encode(i.format, all_at(i.operands));
      case Op::kShared:
        // One move; LLVM would take two for the address of a variable as 32 bits.
        return asm_.pure(b_.getInt32Ty(), fmt::format("mov.u32 $0, {};", kSharedName), "=r", {});
      case Op::kBarrier:
        return b_.CreateIntrinsic(llvm::Intrinsic::nvvm_barrier0, {}, {});
      case Op::kPtrAdd:
        if (program_.type_of(i.operands[0]) == Type::kSptr) return b_.CreateAdd(a(0), a(1));
        return b_.CreateGEP(b_.getInt8Ty(), a(0), b_.CreateZExt(a(1), b_.getInt64Ty()));
      default:
        return nullptr;  // control flow and memory do not come here
    }
  }

  llvm::Constant* constant(const Instruction& i) {
    Type t = program_.type_of(i.results[0]);
    uint64_t bits = static_cast<uint64_t>(i.immediate);
    if (t == Type::kB128) {
      return llvm::ConstantStruct::get(
          llvm::cast<llvm::StructType>(type(t)),
          {b_.getInt32(static_cast<uint32_t>(bits)), b_.getInt32(static_cast<uint32_t>(bits >> 32)), b_.getInt32(0),
           b_.getInt32(0)});
    }
    if (t == Type::kF32) {
      return llvm::ConstantFP::get(
          context_, llvm::APFloat(llvm::APFloat::IEEEsingle(), llvm::APInt(32, static_cast<uint32_t>(bits))));
    }
    return llvm::ConstantInt::get(type(t), bits);
  }

  llvm::Value* float_op(const char* text, const Instruction& i) {
    std::vector<llvm::Value*> operands = all_at(i.operands);
    return asm_.pure(b_.getFloatTy(), text, operands.size() == 2 ? "=f,f,f" : "=f,f,f,f", operands);
  }
  std::vector<llvm::Value*> all_at(const std::vector<ValueId>& ids) const {
    std::vector<llvm::Value*> result;
    for (ValueId v : ids) result.push_back(at(v));
    return result;
  }
  void define_all(const Instruction& i, const std::vector<llvm::Value*>& results) {
    for (size_t k = 0; k < i.results.size(); ++k) values_[i.results[k]] = results[k];
  }

  static llvm::Intrinsic::ID special(Special which) {
    switch (which) {
      case Special::kTidX:
        return llvm::Intrinsic::nvvm_read_ptx_sreg_tid_x;
      case Special::kCtaidX:
        return llvm::Intrinsic::nvvm_read_ptx_sreg_ctaid_x;
      case Special::kNctaidX:
        return llvm::Intrinsic::nvvm_read_ptx_sreg_nctaid_x;
      case Special::kNtidX:
        return llvm::Intrinsic::nvvm_read_ptx_sreg_ntid_x;
      case Special::kLaneId:
        break;
    }
    return llvm::Intrinsic::nvvm_read_ptx_sreg_laneid;
  }

  static llvm::CmpInst::Predicate predicate(Compare relation) {
    switch (relation) {
      case Compare::kEq:
        return llvm::CmpInst::ICMP_EQ;
      case Compare::kNe:
        return llvm::CmpInst::ICMP_NE;
      case Compare::kSlt:
        return llvm::CmpInst::ICMP_SLT;
      case Compare::kSle:
        return llvm::CmpInst::ICMP_SLE;
      case Compare::kSgt:
        return llvm::CmpInst::ICMP_SGT;
      case Compare::kSge:
        return llvm::CmpInst::ICMP_SGE;
      case Compare::kUlt:
        return llvm::CmpInst::ICMP_ULT;
      case Compare::kUle:
        return llvm::CmpInst::ICMP_ULE;
      case Compare::kUgt:
        return llvm::CmpInst::ICMP_UGT;
      case Compare::kUge:
        break;
    }
    return llvm::CmpInst::ICMP_UGE;
  }

  // ---- memory

  // Loads and stores are inline assembly: LLVM would merge neighbouring stores, narrow a truncated load, forward or
  // drop others, and an access of the program must be an access of the PTX, with its id.
  llvm::Value* memory(const Instruction& i) {
    if (i.op == Op::kAtomicMaxU64) {
      return b_.CreateAtomicRMW(llvm::AtomicRMWInst::UMax, at(i.operands[0]), at(i.operands[1]), llvm::Align(i.align),
                                llvm::AtomicOrdering::Monotonic);
    }
    const Address& address = addresses_[i.operands[0]];
    llvm::Value* base = at(address.base);
    return i.op == Op::kLoad ? load(i, base, address.offset) : store(i, base, address.offset);
  }

  bool is_shared(const Instruction& i) const { return program_.type_of(i.operands[0]) == Type::kSptr; }
  const char* space(const Instruction& i) const { return is_shared(i) ? "shared" : "global"; }
  const char* address_constraint(const Instruction& i) const { return is_shared(i) ? "r" : "l"; }
  static std::string place(unsigned operand, int32_t offset) {
    return offset == 0 ? fmt::format("[${}]", operand) : fmt::format("[${}+{}]", operand, offset);
  }
  // "$0" or "{$0, $1, $2, $3}", counted from `first`.
  static std::string elements(const AccessForm& form, unsigned first) {
    if (form.elements == 1) return fmt::format("${}", first);
    return fmt::format("{{${}, ${}, ${}, ${}}}", first, first + 1, first + 2, first + 3);
  }

  llvm::Value* load(const Instruction& i, llvm::Value* base, int32_t offset) {
    AccessForm form = access_form(i.memory_type);
    std::string text, constraints;
    for (unsigned k = 0; k < form.elements; ++k) {
      // Guarded: the outputs are early-clobber, for they are cleared before the address and the guard are read.
      constraints += fmt::format("{}{},", i.guarded ? "=&" : "=", form.constraint);
      if (i.guarded) text += fmt::format("{} ${}, 0;\n\t", form.zero, k);
    }
    constraints += address_constraint(i);
    if (i.guarded) constraints += ",b";
    if (i.guarded) text += fmt::format("@${} ", form.elements + 1);
    text += fmt::format("ld.{}{}.{} {}, {};", space(i), i.read_only ? ".nc" : "", form.suffix, elements(form, 0),
                        place(form.elements, offset));

    std::vector<llvm::Value*> operands{base};
    if (i.guarded) operands.push_back(at(i.operands[1]));
    return asm_.volatile_call(type(i.memory_type), text, constraints, operands);
  }

  llvm::Value* store(const Instruction& i, llvm::Value* base, int32_t offset) {
    AccessForm form = access_form(i.memory_type);
    std::vector<llvm::Value*> operands{base};
    std::string constraints = address_constraint(i);
    llvm::Value* value = at(i.operands[1]);
    for (unsigned k = 0; k < form.elements; ++k) {
      operands.push_back(form.elements == 1 ? value : b_.CreateExtractValue(value, k));
      constraints += fmt::format(",{}", form.constraint);
    }
    std::string text;
    if (i.guarded) {
      operands.push_back(at(i.operands[2]));
      constraints += ",b";
      text = fmt::format("@${} ", 1 + form.elements);
    }
    text += fmt::format("st.{}.{} {}, {};", space(i), form.suffix, place(0, offset), elements(form, 1));
    return asm_.volatile_call(b_.getVoidTy(), text, constraints, operands);
  }

  // ---- control flow

  // The lowering has unrolled what it wants unrolled. ptxas would unroll four times more, into kernels that take up to
  // three times as long to assemble; .pragma "nounroll" keeps it from that.
  void not_unrolled(llvm::BranchInst* back_edge) {
    llvm::Metadata* disable = llvm::MDNode::get(context_, llvm::MDString::get(context_, "llvm.loop.unroll.disable"));
    llvm::MDNode* loop = llvm::MDNode::getDistinct(context_, {nullptr, disable});
    loop->replaceOperandWith(0, loop);
    back_edge->setMetadata(llvm::LLVMContext::MD_loop, loop);
  }

  // Tested before the first iteration and at the end of each: one branch per iteration.
  void for_loop(const Instruction& i) {
    llvm::Value* lo = at(i.operands[0]);
    llvm::Value* hi = at(i.operands[1]);
    llvm::Value* step = at(i.operands[2]);
    const std::vector<ValueId>& arguments = i.regions[0].arguments;
    llvm::BasicBlock* before = b_.GetInsertBlock();
    llvm::BasicBlock* body = block("for");
    llvm::BasicBlock* after = block("for.end");
    b_.CreateCondBr(b_.CreateICmpSLT(lo, hi), body, after);

    b_.SetInsertPoint(body);
    llvm::PHINode* iv = b_.CreatePHI(lo->getType(), 2, program_.values[arguments[0]].name);
    iv->addIncoming(lo, before);
    values_[arguments[0]] = iv;
    std::vector<llvm::PHINode*> carried;
    for (size_t k = 1; k < arguments.size(); ++k) {
      carried.push_back(b_.CreatePHI(type_of(arguments[k]), 2, program_.values[arguments[k]].name));
      carried.back()->addIncoming(at(i.operands[2 + k]), before);
      values_[arguments[k]] = carried.back();
    }
    region(i.regions[0]);
    const std::vector<ValueId>& yielded = i.regions[0].body.back().operands;
    llvm::BasicBlock* latch = b_.GetInsertBlock();
    llvm::Value* next = b_.CreateAdd(iv, step);
    iv->addIncoming(next, latch);
    for (size_t k = 0; k < carried.size(); ++k) carried[k]->addIncoming(at(yielded[k]), latch);
    not_unrolled(b_.CreateCondBr(b_.CreateICmpSLT(next, hi), body, after));
    after->moveAfter(latch);

    b_.SetInsertPoint(after);
    for (size_t k = 0; k < carried.size(); ++k) {
      llvm::PHINode* result = b_.CreatePHI(carried[k]->getType(), 2, program_.values[i.results[k]].name);
      result->addIncoming(at(i.operands[3 + k]), before);
      result->addIncoming(at(yielded[k]), latch);
      values_[i.results[k]] = result;
    }
  }

  void while_loop(const Instruction& i) {
    const Region& test = i.regions[0];
    const Region& inside = i.regions[1];
    llvm::BasicBlock* before = b_.GetInsertBlock();
    llvm::BasicBlock* header = block("while");
    llvm::BasicBlock* body = block("do");
    llvm::BasicBlock* after = block("while.end");
    b_.CreateBr(header);

    b_.SetInsertPoint(header);
    std::vector<llvm::PHINode*> carried;
    for (size_t k = 0; k < test.arguments.size(); ++k) {
      carried.push_back(b_.CreatePHI(type_of(test.arguments[k]), 2, program_.values[test.arguments[k]].name));
      carried.back()->addIncoming(at(i.operands[k]), before);
      values_[test.arguments[k]] = carried.back();
    }
    region(test);
    const std::vector<ValueId>& passed = test.body.back().operands;
    b_.CreateCondBr(at(passed[0]), body, after);
    body->moveAfter(b_.GetInsertBlock());
    for (size_t k = 0; k < i.results.size(); ++k) {
      values_[inside.arguments[k]] = at(passed[1 + k]);
      values_[i.results[k]] = at(passed[1 + k]);
    }

    b_.SetInsertPoint(body);
    region(inside);
    const std::vector<ValueId>& yielded = inside.body.back().operands;
    for (size_t k = 0; k < carried.size(); ++k) carried[k]->addIncoming(at(yielded[k]), b_.GetInsertBlock());
    not_unrolled(b_.CreateBr(header));
    after->moveAfter(b_.GetInsertBlock());
    b_.SetInsertPoint(after);
  }

  void if_else(const Instruction& i) {
    llvm::BasicBlock* before = b_.GetInsertBlock();
    llvm::BasicBlock* then = block("then");
    llvm::BasicBlock* otherwise = i.regions.size() > 1 ? block("else") : nullptr;
    llvm::BasicBlock* after = block("end");
    b_.CreateCondBr(at(i.operands[0]), then, otherwise ? otherwise : after);
    then->moveAfter(before);

    llvm::BasicBlock* ends[2] = {};
    for (size_t side = 0; side < i.regions.size(); ++side) {
      llvm::BasicBlock* start = side == 0 ? then : otherwise;
      if (side == 1) start->moveAfter(b_.GetInsertBlock());
      b_.SetInsertPoint(start);
      region(i.regions[side]);
      ends[side] = b_.GetInsertBlock();
      b_.CreateBr(after);
    }
    after->moveAfter(b_.GetInsertBlock());
    b_.SetInsertPoint(after);
    for (size_t k = 0; k < i.results.size(); ++k) {
      llvm::PHINode* result = b_.CreatePHI(type_of(i.results[k]), 2, program_.values[i.results[k]].name);
      for (size_t side = 0; side < 2; ++side)
        result->addIncoming(at(i.regions[side].body.back().operands[k]), ends[side]);
      values_[i.results[k]] = result;
    }
  }

  const Program& program_;
  llvm::LLVMContext& context_;
  std::unique_ptr<llvm::Module> module_;
  llvm::IRBuilder<> b_;
  Assembly asm_;
  llvm::Function* function_ = nullptr;
  llvm::DISubprogram* scope_ = nullptr;
  std::vector<llvm::Value*> values_;  // by ValueId
  std::vector<Address> addresses_;    // by ValueId
};

}  // namespace

Expected<std::unique_ptr<llvm::Module>> build_module(const Program& program, llvm::LLVMContext& context,
                                                     const llvm::TargetMachine& machine) {
  return ModuleBuilder(program, context).run(machine);
}

}  // namespace tailor::codegen::emit
