<%@ include file="serve.jspf" %><%
    String action = request.getServletPath();
    serve(action.equals("/payroll.do") ? "secret" : action.equals("/report.do") ? "open" : action.split("/").length == 3 ? "open" : "none", request, response, out);
%>
