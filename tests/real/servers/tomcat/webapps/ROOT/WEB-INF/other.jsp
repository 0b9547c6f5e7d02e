<%@ include file="serve.jspf" %><%
    serve(request.getServletPath().split("/").length == 3 ? "open" : "none", request, response, out);
%>
